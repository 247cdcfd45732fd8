# Drives a cluster with the official Python client: what each step found is one JSON object on stdout.
import json
import sys
import threading

from kubernetes import client, config, dynamic, utils, watch
from kubernetes.client.rest import ApiException
from kubernetes.stream import portforward, stream

config.load_kube_config(sys.argv[1])
core, apps = client.CoreV1Api(), client.AppsV1Api()
namespace = "default"
found = {}


def refusal(call):
    try:
        call()
    except ApiException as error:
        return error.status, error.reason, json.loads(error.body)["message"]


labels = {"app": "python"}
container = client.V1Container(name="c", image="example.com/c:1", ports=[client.V1ContainerPort(container_port=80)])
template = client.V1PodTemplateSpec(
    metadata=client.V1ObjectMeta(labels=labels), spec=client.V1PodSpec(containers=[container])
)
deployment = client.V1Deployment(
    metadata=client.V1ObjectMeta(name="python", labels=labels),
    spec=client.V1DeploymentSpec(
        replicas=2, selector=client.V1LabelSelector(match_labels=labels), template=template
    ),
)
apps.create_namespaced_deployment(namespace, deployment)
events = watch.Watch()
for event in events.stream(apps.list_namespaced_deployment, namespace, label_selector="app=python", timeout_seconds=30):
    found["ready"] = event["object"].status.ready_replicas
    if found["ready"] == 2:
        events.stop()

scale = apps.read_namespaced_deployment_scale("python", namespace)
scale.spec.replicas = 3
apps.replace_namespaced_deployment_scale("python", namespace, scale)
# As Ansible scales: a strategic merge patch of another kind's name.
apps.patch_namespaced_deployment_scale("python", namespace, {"kind": "Deployment", "spec": {"replicas": 1}})
found["scaled"] = apps.read_namespaced_deployment("python", namespace).spec.replicas
patched = apps.patch_namespaced_deployment(
    "python", namespace, [{"op": "replace", "path": "/metadata/annotations/by", "value": "json-patch"}]
)
found["annotation"] = patched.metadata.annotations["by"]
patched.metadata.resource_version = "1"
found["conflict"] = refusal(lambda: apps.replace_namespaced_deployment("python", namespace, patched))[:2]

for number in range(7):
    core.create_namespaced_config_map(
        namespace, {"metadata": {"name": f"python-{number}", "labels": labels}, "data": {"a": "b"}}
    )
pages, token = [], None
while token != "":
    page = core.list_namespaced_config_map(namespace, label_selector="app=python", limit=3, _continue=token)
    pages.append(len(page.items))
    token = page.metadata._continue or ""
found["pages"] = pages

changes = threading.Timer(
    0.3,
    lambda: (
        core.patch_namespaced_config_map("python-1", namespace, {"data": {"z": "1"}}),
        core.delete_namespaced_config_map("python-0", namespace),
    ),
)
changes.start()
found["events"] = []
events = watch.Watch()
for event in events.stream(
    core.list_namespaced_config_map,
    namespace,
    label_selector="app=python",
    resource_version=page.metadata.resource_version,
    timeout_seconds=30,
):
    found["events"].append([event["type"], event["object"].metadata.name])
    if event["type"] == "DELETED":
        events.stop()

pod = core.list_namespaced_pod(namespace, label_selector="app=python", field_selector="status.phase=Running").items[0]
name = pod.metadata.name
found["exec"] = stream(
    core.connect_get_namespaced_pod_exec, name, namespace, command=["echo", "hi"], stderr=True, stdout=True
)
found["log"] = core.read_namespaced_pod_log(name, namespace)
forward = portforward(core.connect_get_namespaced_pod_portforward, name, namespace, ports="80")
socket = forward.socket(80)
socket.setblocking(True)
socket.sendall(b"GET / HTTP/1.1\r\nHost: pod\r\nConnection: close\r\n\r\n")
answer = b""
while piece := socket.recv(1024):
    answer += piece
found["forward"] = answer.decode().split("\r\n\r\n")[1]

resources = dynamic.DynamicClient(client.ApiClient()).resources
definition = {
    "metadata": {"name": "snakes.python.example"},
    "spec": {
        "group": "python.example",
        "names": {"kind": "Snake", "plural": "snakes"},
        "scope": "Namespaced",
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "subresources": {"status": {}},
                "schema": {
                    "openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
                },
            }
        ],
    },
}
crds = resources.get(api_version="apiextensions.k8s.io/v1", kind="CustomResourceDefinition")
crds.create(body={"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", **definition})
for event in crds.watch(timeout=30):
    conditions = (event["object"].status or {}).get("conditions") or []
    if event["object"].metadata.name == "snakes.python.example" and any(
        c.type == "Established" and c.status == "True" for c in conditions
    ):
        break
resources.invalidate_cache()
snakes = resources.get(api_version="python.example/v1", kind="Snake")
snake = {"apiVersion": "python.example/v1", "kind": "Snake", "metadata": {"name": "monty"}, "spec": {"length": 3}}
snakes.create(body=snake, namespace=namespace)
snakes.patch(body={"spec": {"length": 4}}, name="monty", namespace=namespace, content_type="application/merge-patch+json")
applied = {**snake, "spec": {"colour": "green"}}
snakes.server_side_apply(body=json.dumps(applied), name="monty", namespace=namespace, field_manager="python")
found["custom"] = snakes.get(name="monty", namespace=namespace).to_dict()["spec"]
found["missing"] = refusal(lambda: core.read_namespaced_pod("none", namespace))

utils.create_from_dict(
    client.ApiClient(),
    {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "python"}, "spec": {"ports": [{"port": 80}]}},
)
found["service"] = core.read_namespaced_service("python", namespace).spec.type
apps.delete_namespaced_deployment("python", namespace, propagation_policy="Foreground")
core.delete_collection_namespaced_config_map(namespace, label_selector="app=python")
found["left"] = len(core.list_namespaced_config_map(namespace, label_selector="app=python").items)
print(json.dumps(found))
