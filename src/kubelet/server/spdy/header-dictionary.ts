const WORDS = [
  'options head post put delete trace accept accept-charset accept-encoding accept-language accept-ranges age allow',
  'authorization cache-control connection content-base content-encoding content-language content-length content-location',
  'content-md5 content-range content-type date etag expect expires from host if-match if-modified-since if-none-match',
  'if-range if-unmodified-since last-modified location max-forwards pragma proxy-authenticate proxy-authorization range',
  'referer retry-after server te trailer transfer-encoding upgrade user-agent vary via warning www-authenticate method',
  'get status',
];
const STATUS_CODES =
  '100101201202205206300302303304305306307402405406407408409410411412413414415416417502504505203 Non-Authoritative Information204 No Content301 Moved Permanently400 Bad Request401 Unauthorized403 Forbidden404 Not Found500 Internal Server Error501 Not Implemented503 Service Unavailable';
const REST =
  'Jan Feb Mar Apr May Jun Jul Aug Sept Oct Nov Dec 00:00:00 Mon, Tue, Wed, Thu, Fri, Sat, Sun, GMTchunked,text/html,image/png,image/jpg,image/gif,application/xml,application/xhtml+xml,text/plain,text/javascript,publicprivatemax-age=gzip,deflate,sdchcharset=utf-8charset=iso-8859-1,utf-,*,enq=0.';

/** The dictionary that header blocks are compressed with: SPDY/3, section 2.6.10.1. */
export const HEADER_DICTIONARY: Buffer = Buffer.concat([
  ...WORDS.flatMap((line) => line.split(' ')).map(word),
  word('200 OK'),
  word('version'),
  word('HTTP/1.1'),
  word('url'),
  word('public'),
  word('set-cookie'),
  word('keep-alive'),
  word('origin'),
  Buffer.from(STATUS_CODES + REST, 'latin1'),
]);

function word(text: string): Buffer {
  const bytes = Buffer.alloc(4 + text.length);
  bytes.writeUInt32BE(text.length, 0);
  bytes.write(text, 4, 'latin1');
  return bytes;
}
