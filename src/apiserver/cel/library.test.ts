import { describe, expect, it } from 'vitest';
import { ExpressionCompiler } from './expression.ts';
import { jsonToCel } from './values.ts';

const self = jsonToCel({
  n: 5,
  list: [3, 1, 2],
  map: { x: 1, y: 2 },
  nothing: null,
  metadata: { namespace: 'default' },
  objs: [{ a: 1, b: 'x' }, { a: 2 }],
});

/** One for each function (or a few alike) that expressions of Kubernetes 1.36 have; all are true. */
const examples = String.raw`
timestamp("2023-02-03T04:05:06.789Z").getFullYear() == 2023
timestamp("2023-02-03T04:05:06.789Z").getMonth() == 1
timestamp("2023-02-03T04:05:06.789Z").getDate() == 3
timestamp("2023-02-03T04:05:06.789Z").getDayOfMonth() == 2
timestamp("2023-02-03T04:05:06.789Z").getDayOfWeek() == 5
timestamp("2023-02-03T04:05:06.789Z").getDayOfYear() == 33
timestamp("2023-02-03T04:05:06.789Z").getHours() == 4
timestamp("2023-02-03T04:05:06.789Z").getMinutes() == 5
timestamp("2023-02-03T04:05:06.789Z").getSeconds() == 6
timestamp("2023-02-03T04:05:06.789Z").getMilliseconds() == 789
timestamp("2023-02-03T04:05:06Z").getHours("America/New_York") == 23
timestamp("2023-02-03T04:05:06Z").getHours("+02:00") == 6 && timestamp("2023-02-03T04:05:06Z").getHours("-09:30") == 18 && timestamp("2023-02-03T04:05:06Z").getMinutes("05:30") == 35
timestamp("2023-01-01T00:00:00Z").getDayOfYear("-01:00") == 364 && timestamp("2023-02-03T04:05:06Z").getDate("America/New_York") == 2
timestamp("2023-02-03T04:05:06Z") + duration("1h") == timestamp("2023-02-03T05:05:06Z")
timestamp("2023-02-03T05:05:06Z") - timestamp("2023-02-03T04:05:06Z") == duration("1h")
timestamp("2023-02-03T05:05:06Z") - duration("1h") == timestamp("2023-02-03T04:05:06Z")
duration("1h") + duration("30m") == duration("90m")
duration("1h30m").getHours() == 1
duration("1h30m").getMinutes() == 90
duration("1h30m").getSeconds() == 5400
duration("1.5s").getMilliseconds() == 1500
duration("-1.5h") < duration("0s") && duration("-1.5s") + duration("1s") == duration("-0.5s") && string(duration("-1.5s")) == "-1.5s"
string(timestamp("2023-02-03T04:05:06Z")) == "2023-02-03T04:05:06Z"
int(timestamp("1970-01-01T00:01:00Z")) == 60
timestamp(60) == timestamp("1970-01-01T00:01:00Z")
type(1) == int
type("a") == string
type([]) == list
type({}) == map
type(1.0) == double
type(true) == bool
type(null) == null_type
type(b"a") == bytes
type(1u) == uint
type(ip("::1")) == net.IP && type(quantity("1")) == kubernetes.Quantity && type(semver("1.0.0")) == kubernetes.Semver && type(optional.none()) == optional_type
type(timestamp(0)) == google.protobuf.Timestamp
dyn(1) == 1.0 && dyn(1) in [1u] && dyn([1.0]) == [1]
1 < 1.5
1u < 2
uint(3) == 3u
double("1.5") == 1.5
double(3) == 3.0
int("42") == 42
int(4.7) == 4
int(-4.7) == -4
string(1.5) == "1.5"
string(true) == "true"
string(1u) == "1"
bool("true") && bool("True") && !bool("false")
bytes("abc") == b"abc"
string(b"abc") == "abc"
"😀abc".indexOf("b") == 2 && "😀abc".substring(0, 1) == "😀" && "😀a".split("") == ["😀", "a"] && "TacoCÆt".lowerAscii() == "tacocÆt"
string(123456789.0) == "1.23456789e+08" && string(0.5) == "0.5" && {"__proto__": 1}["__proto__"] == 1
[0, 1].all(i, x, 1 / x == 2) == false && [0, 1].exists(i, x, 1 / x == 1) && [1, 2].exists_one(i, x, x == 2)
size("héllo") == 5
"héllo".size() == 5
[1,2].size() == 2 && size({"a":1}) == 1
2 in [1,2] && "a" in {"a":1} && !("b" in {"a":1})
{"a":1}.a == 1 && {"a":1}["a"] == 1
[1,2,3][1] == 2
[1] + [2] == [1,2]
"a" + "b" == "ab"
b"a" + b"b" == b"ab"
7 / 2 == 3 && -7 / 2 == -3 && 7 % 3 == 1 && -7 % 3 == -1
7.0 / 2.0 == 3.5
-self.n == -5
!false
1 in {1: "a"}
true ? true : 1/0 == 1
[1,2,3].all(x, x > 0) && [1,2].exists(x, x == 2) && [1,2].exists_one(x, x == 2)
[1,2,3].map(x, x > 1, x * 2) == [4,6]
[1,2,3].filter(x, x > 1) == [2,3]
{"a":1,"b":2}.all(k, k in ["a","b"])
{"a":1,"b":2}.map(k, k).size() == 2
{"a":1,"b":2}.exists(k, k == "a")
{"a":1}.filter(k, true) == ["a"]
has(self.n) && !has(self.zz)
has(self.map.x) && has(self.objs[0].b) && !has(self.objs[1].b) && has(self.?map.x) && !has(self.?zz.x)
"ABC".matches("(?i)^a") && "a1".matches("\\Aa[[:digit:]]")
"abc".contains("b") && "abc".startsWith("a") && "abc".endsWith("c") && "abc".matches("b")
matches("abc", "^a")
"abc".charAt(3) == ""
"hello mellow".indexOf("ello") == 1 && "hello mellow".indexOf("jello") == -1 && "hello mellow".indexOf("") == 0 && "hello mellow".indexOf("ello", 2) == 7
"hello mellow".lastIndexOf("ello") == 7 && "hello mellow".lastIndexOf("ello", 6) == 1
["hello","mellow"].join() == "hellomellow" && ["hello","mellow"].join(" ") == "hello mellow" && [].join("/") == ""
"TacoCat".lowerAscii() == "tacocat" && "TacoCÆt".upperAscii() == "TACOCÆT"
"hello hello".replace("he", "we") == "wello wello" && "hello hello".replace("he","we",1) == "wello hello" && "hello hello".replace("he","we",0) == "hello hello" && "hello hello".replace("he","we",-1) == "wello wello"
"hello hello hello".split(" ") == ["hello","hello","hello"] && "hello hello hello".split(" ", 0) == [] && "hello hello hello".split(" ", 1) == ["hello hello hello"] && "hello hello hello".split(" ", 2) == ["hello", "hello hello"] && "hello hello hello".split(" ", -1) == ["hello","hello","hello"]
"abc".split("") == ["a","b","c"]
"tacocat".substring(4) == "cat" && "tacocat".substring(0,4) == "taco"
"  trim ".trim() == "trim"
strings.quote("single-quote with \"double quote\"") == "\"single-quote with \\\"double quote\\\"\""
"%s".format(["a"]) == "a" && "%d".format([1]) == "1" && "%%".format([]) == "%"
"%s %s %s".format([dyn(1), dyn(1.5), dyn(true)]) == "1 1.5 true"
"%s".format([{"b": 1, "a": 2}]) == "{\"a\":2, \"b\":1}" && "%s".format([["x"]]) == "[\"x\"]"
"%.3f".format([1.2345]) == "1.234" || "%.3f".format([1.2345]) == "1.235"
"%e".format([1052.032911275]) == "1.052033e+03"
"%x %X %o %b".format([255, 255, 8, 5]) == "ff FF 10 101"
"%x".format(["Hello"]) == "48656c6c6f"
"%x".format([b"Hello"]) == "48656c6c6f"
"%b".format([true]) == "1"
"%s".format([null]) == "null"
"%s".format([duration("1h45m47s")]) == "6347s"
"%s".format([timestamp("2023-02-03T23:31:20+00:00")]) == "2023-02-03T23:31:20Z"
"%s".format([type("a")]) == "string"
"%s".format([b"xyz"]) == "xyz"
"%d".format([1u]) == "1"
"%s".format([1.0]) == "1"
"%s".format([10002.0]) == "10002"
[1,2,3].isSorted() && ["a","b"].isSorted() && ![2,1].isSorted() && [].isSorted()
[1,2,3].sum() == 6 && [1.5,2.5].sum() == 4.0 && [].sum() == 0 && [duration("1m"), duration("1s")].sum() == duration("61s")
[1,2,3].min() == 1 && ["b","a"].max() == "b" && [1.0, 2.0].max() == 2.0
[1,2,3,2].indexOf(2) == 1 && [1,2,3,2].lastIndexOf(2) == 3 && [1].indexOf(5) == -1
"abc 123".find("[0-9]+") == "123" && "abc".find("xyz") == ""
"123 abc 456".findAll("[0-9]+") == ["123","456"] && "123 abc 456".findAll("[0-9]+", 1) == ["123"] && "123 abc 456".findAll("xyz") == []
sets.contains([], []) && sets.contains([1,2],[2]) && sets.equivalent([1],[1,1]) && sets.equivalent([1], [dyn(1u), dyn(1.0)]) && sets.intersects([1],[1,2]) && !sets.intersects([1],[])
[1,2,3].all(i, v, i < v) && {"a":1}.all(k, v, k == "a" && v == 1)
[1,2].exists(i, v, i == 1 && v == 2) && [1,2,2].existsOne(i, v, v == 1)
[1,2,3].transformList(i, v, i + v) == [1,3,5]
[1,2,3].transformList(i, v, i > 0, v * 2) == [4,6]
[4,5].transformMap(i, v, v * 2) == {0: 8, 1: 10}
{"a":1,"b":2}.transformMap(k, v, v > 1, v * 2) == {"b": 4}
{"a":1,"b":2}.transformMapEntry(k, v, {v: k}) == {1: "a", 2: "b"}
{"a":1,"b":2}.transformMapEntry(k, v, v > 1, {v: k}) == {2: "b"}
{"a":1,"b":2}.transformList(k, v, v).sum() == 3
optional.of(1).hasValue() && !optional.none().hasValue() && optional.of(1).value() == 1
optional.ofNonZeroValue("").hasValue() == false && optional.ofNonZeroValue("a").value() == "a"
optional.none().orValue(3) == 3 && optional.none().or(optional.of(4)).value() == 4
self.?zz.orValue("d") == "d" && self.?metadata.?namespace.value() == "default" && self.?zz.?yy.hasValue() == false
self.list[?1].value() == 1 && !self.list[?9].hasValue() && self.map[?"x"].orValue(0) == 1
self.?n.optMap(v, v + 1).orValue(0) == 6
self.?n.optFlatMap(v, optional.of(v)).value() == 5
[?optional.of(1), ?optional.none()] == [1]
{?"a": optional.of(1)} == {"a": 1}
optional.of(1) == optional.of(1) && optional.none() == optional.none() && optional.of(1) != optional.of(2)
[optional.of(1), optional.none()].unwrapOpt() == [1]
optional.unwrap([optional.of(1), optional.none()]) == [1]
quantity("50k").sign() == 1 && quantity("0").sign() == 0 && quantity("-1").sign() == -1
quantity("50k").isInteger() && !quantity("50m").isInteger() && quantity("50k").asInteger() == 50000 && quantity("50.703k").asApproximateFloat() == 50703.0
quantity("50k").add(20) == quantity("50020") && quantity("50k").sub(quantity("20k")) == quantity("30k") && quantity("50k").sub(20) == quantity("49980")
isQuantity("1.3Gi") && isQuantity("10000k") && !isQuantity("Three")
url("https://user:pass@example.com:80/path%20here?k=a&k=b#frag").getHost() == "example.com:80"
url("https://[::1]:80/").getHostname() == "::1" && url("https://[::1]:80/").getHost() == "[::1]:80"
url("https://example.com/with%20space/").getEscapedPath() == "/with%20space/" && url("https://example.com/with space/").getEscapedPath() == "/with%20space/"
url("https://example.com/?k1=a&k2=b&k2=c").getQuery() == {"k1":["a"],"k2":["b","c"]}
url("https://example.com/path").getScheme() == "https" && url("/path").getScheme() == ""
url("https://example.com:80/").getPort() == "80" && url("https://example.com/").getPort() == ""
isURL("https://user:pass@example.com:80/path?query=val#fragment") && isURL("/absolute-path") && isURL("https://a:b:c/") == false && isURL("../relative-path") == false
ip("127.0.0.1").family() == 4 && ip("::1").family() == 6 && ip("127.0.0.1").isLoopback() && ip("0.0.0.0").isUnspecified() && ip("169.254.1.1").isLinkLocalUnicast() && ip("224.0.0.1").isLinkLocalMulticast() && ip("8.8.8.8").isGlobalUnicast()
isIP("127.0.0.1") && !isIP("localhost") && ip.isCanonical("2001:db8::68") && !ip.isCanonical("2001:DB8::68") && string(ip("192.168.0.1")) == "192.168.0.1"
cidr("192.168.0.0/24").containsIP(ip("192.168.0.1")) && cidr("192.168.0.0/24").containsIP("192.168.0.1") && cidr("192.168.0.0/24").containsCIDR("192.168.0.0/25") && cidr("192.168.0.1/24").ip() == ip("192.168.0.1") && cidr("192.168.0.0/24").ip().family() == 4 && cidr("192.168.0.1/24").masked() == cidr("192.168.0.0/24") && cidr("192.168.0.0/24").prefixLength() == 24 && isCIDR("10.0.0.0/8")
string(cidr("10.0.0.0/8")) == "10.0.0.0/8"
semver("1.2.3").major() == 1 && semver("1.2.3").minor() == 2 && semver("1.2.3").patch() == 3 && semver("1.2.3").compareTo(semver("2.0.0")) == -1 && isSemver("v1.0", true) && !isSemver("v1.0") && semver("1.2.3-beta").isLessThan(semver("1.2.3")) && semver("01.02", true) == semver("1.2.0")
format.dns1123Label().validate("contains-nothing-bad").hasValue() == false && format.dns1123Label().validate("Bad_").hasValue()
format.named("uuid").value().validate("123e4567-e89b-12d3-a456-426614174000") == optional.none()
!format.named("unknown").hasValue()
!format.dns1123Subdomain().validate("apiextensions.k8s.io").hasValue() && format.labelValue().validate("a b").hasValue() && format.qualifiedName().validate("a/b/c").hasValue() && format.byte().validate("!!").hasValue() && !format.date().validate("2021-01-01").hasValue() && !format.datetime().validate("2021-01-01T00:00:00Z").hasValue() && !format.uri().validate("http://foo").hasValue() && !format.dns1035Label().validate("foo").hasValue() && format.dns1123LabelPrefix().validate("foo-").hasValue() == false && format.dns1035LabelPrefix().validate("foo-").hasValue() == false && format.dns1123SubdomainPrefix().validate("foo-").hasValue() == false
format.dns1123Label() == format.named("dns1123Label").value()
self.objs.map(o, o.a) == [1, 2] && self.objs.exists(o, has(o.b) && o.b == "x")
self.objs.all(o, self.objs.exists_one(p, p.a == o.a))
"\u00e9" == "é" && 'single' == "single" && r"\d" == "\\d" && """tri"ple""" == 'tri"ple'
0x1F == 31 && 1e3 == 1000.0 && 1.5e-1 == 0.15
self.nothing == null && self["n"] == 5
"a" < "b" && b"a" < b"b" && false < true
[[1,2],[3]] == [[1,2],[3]] && {"a": [1]} == {"a": [1]} && [1, 2] != [2, 1]
self.n > 3 && self.n >= 5 && self.n <= 5 && self.n != 4
9223372036854775807 > 0 && -9223372036854775808 < 0
int("9223372036854775807") + 0 == 9223372036854775807
cel.bind(x, 1, x + 1) == 2
self.list.sort() == [1,2,3] && [1,1].distinct() == [1] && [[1],[2]].flatten() == [1,2] && lists.range(3) == [0,1,2] && [1,2,3].slice(1,2) == [2] && [1,2].reverse() == [2,1]
self.objs.sortBy(o, -o.a).map(o, o.a) == [2, 1] && self.list.first().value() == 3 && self.list.last().value() == 2
`;

describe('the functions of expressions', () => {
  const compiler = new ExpressionCompiler(['self']);
  it.each(examples.split('\n').filter(Boolean))('%s', (source) => {
    expect(compiler.compile(source).evaluate({ self })).toBe(true);
  });

  it.each([
    ['self.n + self.metadata', 'no such overload'],
    ['self.n.startsWith("a")', 'no such overload'],
    ['self.list[3]', 'index out of bounds: 3'],
    ['9223372036854775807 + self.n', 'integer overflow'],
    ['uint(self.n - 9)', 'unsigned integer overflow'],
    ['int(string(self.n) + "x")', "type conversion error from 'string' to 'int'"],
    ['"abc".substring(4)', 'index out of range: 4'],
    ['timestamp(0).getHours("Nowhere/Else") == 1', 'unknown time zone Nowhere/Else'],
    ['[0, 1].all(x, 1 / x == 1)', 'division by zero'],
  ])('%s fails', (source, why) => {
    expect(() => compiler.compile(source).evaluate({ self })).toThrow(new Error(why));
  });

  it.each([
    ['1 == 1.0', "found no matching overload for '_==_' applied to '(int, double)'"],
    ['[1, "a"]', "expected type 'int' but found 'string'"],
    ['{"a": 1, "b": []}', "expected type 'int' but found 'list(dyn)'"],
    ['"a".matches("[")', 'ERROR: <input>:1:13: invalid matches argument'],
    ['duration("1 hour") > duration("1s")', 'ERROR: <input>:1:10: invalid duration argument'],
    ['timestamp("2023-02-30T00:00:00Z") == timestamp(0)', 'invalid timestamp argument'],
    ['1 + "a"', "ERROR: <input>:1:3: found no matching overload for '_+_' applied to '(int, string)'"],
    ['quantity("1") > quantity("2")', "found no matching overload for '_>_' applied to '(kubernetes.Quantity"],
    ['"a".nothing()', "found no matching overload for 'string.nothing' applied to '()'"],
    ['math.greatest(1, 2) == 2', "undeclared reference to 'math' (in container '')"],
  ])('%s does not compile', (source, why) => {
    expect(() => compiler.compile(source)).toThrow(why);
  });
});
