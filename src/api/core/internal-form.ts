/**
 * Values in errors are shown as the JSON of Go's internal types: every field by its Go name and in Go's order, absent
 * pointers, lists and maps as null, absent values as zeros. Types of which nothing is known here are shown by what they
 * have.
 */
export function internalForm(type: string, value: unknown): unknown {
  if (value === null || value === undefined) return null;
  if (Array.isArray(value)) return value.map((item) => internalForm(type, item));
  if (typeof value !== 'object') return value;
  const given = value as Readonly<Record<string, unknown>>;
  if (type === 'as-is') return given;
  const fields = typesOf()[type];
  const shown: Record<string, unknown> = {};
  if (!fields) {
    for (const key of Object.keys(given)) shown[goName(key)] = internalForm('', given[key]);
    return shown;
  }
  for (const { name, json, zero, of } of fields) {
    if (of === 'spread') Object.assign(shown, internalForm(name, given) as object);
    else {
      const field = given[json];
      shown[name] = field === undefined || field === null ? zeroOf(zero, of) : internalForm(of, field);
    }
  }
  return shown;
}

function zeroOf(zero: Zero, of: string): unknown {
  return zero === 'struct' ? internalForm(of, {}) : zero;
}

type Zero = null | '' | 0 | false | 'struct';

interface InternalField {
  readonly name: string;
  readonly json: string;
  readonly zero: Zero;
  /** The type of what is in it; `as-is` of types that Go shows as the API does. */
  readonly of: string;
}

const goName = (key: string) => acronyms.get(key) ?? key.charAt(0).toUpperCase() + key.slice(1);

const acronyms = new Map([
  ...(['UID', 'TTY', 'OS', 'CSI', 'NFS', 'ISCSI', 'RBD', 'FC', 'IP', 'IQN', 'FSType', 'CPU', 'URI'] as const).map(
    (name): [string, string] => [name === 'FSType' ? 'fsType' : name.toLowerCase(), name],
  ),
  ['awsElasticBlockStore', 'AWSElasticBlockStore'],
  ['gcePersistentDisk', 'GCEPersistentDisk'],
  ['cephfs', 'CephFS'],
  ['scaleIO', 'ScaleIO'],
  ['storageos', 'StorageOS'],
  ['dnsPolicy', 'DNSPolicy'],
  ['dnsConfig', 'DNSConfig'],
  ['httpGet', 'HTTPGet'],
  ['tcpSocket', 'TCPSocket'],
  ['grpc', 'GRPC'],
  ['httpHeaders', 'HTTPHeaders'],
  ['seLinuxOptions', 'SELinuxOptions'],
  ['seLinuxChangePolicy', 'SELinuxChangePolicy'],
  ['fsGroup', 'FSGroup'],
  ['fsGroupChangePolicy', 'FSGroupChangePolicy'],
  ['apiVersion', 'APIVersion'],
  ['apiGroup', 'APIGroup'],
]);

/**
 * One type a line: its fields in Go's order. A field is a pointer, a list or a map unless a mark says what its zero is:
 * `"` a string, `0` a number, `?` a boolean, `{}` a struct. `:Type` is the type of what is in it, `=json` its name in the
 * API where that is not its Go name with a small first letter, `...` a struct that lies in this one.
 */
const table = `
ScopeSelector MatchExpressions:ScopeRequirement
ScopeRequirement ScopeName" Operator" Values
Taint Key" Value" Effect" TimeAdded
NodeAddress Type" Address"
NodeConfigSource ConfigMap:ConfigMapSource
ConfigMapSource Namespace" Name" UID=uid" ResourceVersion" KubeletConfigKey"
PersistentVolumeClaimSpec AccessModes Selector:as-is Resources{}:VolumeResourceRequirements VolumeName" StorageClassName VolumeMode DataSource:TypedReference DataSourceRef:NamespacedReference VolumeAttributesClassName
VolumeResourceRequirements Limits:as-is Requests:as-is
ResourceRequirements Limits:as-is Requests:as-is Claims:ResourceClaim
ResourceClaim Name" Request"
TypedReference APIGroup=apiGroup Kind" Name"
NamespacedReference APIGroup=apiGroup Kind" Name" Namespace
PersistentVolumeSource GCEPersistentDisk=gcePersistentDisk AWSElasticBlockStore=awsElasticBlockStore HostPath:HostPath Glusterfs NFS=nfs:NFS RBD=rbd Quobyte ISCSI=iscsi:ISCSIPersistent FlexVolume Cinder CephFS=cephfs FC=fc Flocker AzureFile VsphereVolume AzureDisk PhotonPersistentDisk PortworxVolume ScaleIO=scaleIO Local:Local StorageOS=storageos CSI=csi:CSIPersistent
HostPath Path" Type
NFS Server" Path" ReadOnly?
Local Path" FSType=fsType
CSIPersistent Driver" VolumeHandle" ReadOnly? FSType=fsType" VolumeAttributes:as-is ControllerPublishSecretRef:SecretReference NodeStageSecretRef:SecretReference NodePublishSecretRef:SecretReference ControllerExpandSecretRef:SecretReference NodeExpandSecretRef:SecretReference
SecretReference Name" Namespace"
ISCSIPersistent TargetPortal" IQN=iqn" Lun0 ISCSIInterface=iscsiInterface" FSType=fsType" ReadOnly? Portals DiscoveryCHAPAuth=chapAuthDiscovery? SessionCHAPAuth=chapAuthSession? SecretRef:SecretReference InitiatorName
PodSpec Volumes:Volume InitContainers:Container Containers:Container EphemeralContainers:EphemeralContainer RestartPolicy" TerminationGracePeriodSeconds ActiveDeadlineSeconds DNSPolicy=dnsPolicy" NodeSelector:as-is ServiceAccountName" AutomountServiceAccountToken NodeName" SecurityContext:PodSecurityContext ImagePullSecrets:LocalReference Hostname" Subdomain" SetHostnameAsFQDN Affinity:Affinity SchedulerName" Tolerations:Toleration HostAliases:HostAlias PriorityClassName" Priority PreemptionPolicy DNSConfig=dnsConfig:DNSConfig ReadinessGates RuntimeClassName Overhead:as-is EnableServiceLinks TopologySpreadConstraints:TopologySpreadConstraint OS=os SchedulingGates ResourceClaims:PodResourceClaim Resources:ResourceRequirements HostnameOverride SchedulingGroup
PodResourceClaim Name" ResourceClaimName ResourceClaimTemplateName
LocalReference Name"
HostAlias IP=ip" Hostnames
DNSConfig Nameservers Searches Options:DNSOption
DNSOption Name" Value
Toleration Key" Operator" Value" Effect" TolerationSeconds
TopologySpreadConstraint MaxSkew0 TopologyKey" WhenUnsatisfiable" LabelSelector:as-is MinDomains NodeAffinityPolicy NodeTaintsPolicy MatchLabelKeys
Affinity NodeAffinity:NodeAffinity PodAffinity:PodAffinity PodAntiAffinity:PodAffinity
NodeAffinity RequiredDuringSchedulingIgnoredDuringExecution:NodeSelector PreferredDuringSchedulingIgnoredDuringExecution:PreferredTerm
NodeSelector NodeSelectorTerms:NodeSelectorTerm
PreferredTerm Weight0 Preference{}:NodeSelectorTerm
NodeSelectorTerm MatchExpressions:NodeSelectorRequirement MatchFields:NodeSelectorRequirement
NodeSelectorRequirement Key" Operator" Values
VolumeNodeAffinity Required:NodeSelector
PodAffinity RequiredDuringSchedulingIgnoredDuringExecution:PodAffinityTerm PreferredDuringSchedulingIgnoredDuringExecution:WeightedTerm
WeightedTerm Weight0 PodAffinityTerm{}:PodAffinityTerm
PodAffinityTerm LabelSelector:as-is Namespaces TopologyKey" NamespaceSelector:as-is MatchLabelKeys MismatchLabelKeys
EphemeralContainer Container... TargetContainerName"
Container Name" Image" Command Args WorkingDir" Ports:ContainerPort EnvFrom:EnvFrom Env:EnvVar Resources{}:ResourceRequirements ResizePolicy RestartPolicy RestartPolicyRules VolumeMounts:VolumeMount VolumeDevices LivenessProbe:Probe ReadinessProbe:Probe StartupProbe:Probe Lifecycle:Lifecycle TerminationMessagePath" TerminationMessagePolicy" ImagePullPolicy" SecurityContext:SecurityContext Stdin? StdinOnce? TTY=tty?
ContainerPort Name" HostPort0 ContainerPort0 Protocol" HostIP=hostIP"
EnvFrom Prefix" ConfigMapRef:OptionalReference SecretRef:OptionalReference
OptionalReference Name" Optional
EnvVar Name" Value" ValueFrom:EnvVarSource
EnvVarSource FieldRef ResourceFieldRef ConfigMapKeyRef:KeyReference SecretKeyRef:KeyReference FileKeyRef
KeyReference Name" Key" Optional
VolumeMount Name" ReadOnly? RecursiveReadOnly MountPath" SubPath" MountPropagation SubPathExpr"
Probe Exec HTTPGet=httpGet:HTTPGet TCPSocket=tcpSocket GRPC=grpc InitialDelaySeconds0 TimeoutSeconds0 PeriodSeconds0 SuccessThreshold0 FailureThreshold0 TerminationGracePeriodSeconds
HTTPGet Path" Port Host" Scheme" HTTPHeaders=httpHeaders
Lifecycle PostStart:LifecycleHandler PreStop:LifecycleHandler StopSignal
LifecycleHandler Exec HTTPGet=httpGet:HTTPGet TCPSocket=tcpSocket Sleep
PodSecurityContext HostNetwork? HostPID=hostPID? HostIPC=hostIPC? ShareProcessNamespace HostUsers SELinuxOptions=seLinuxOptions WindowsOptions RunAsUser RunAsGroup RunAsNonRoot SupplementalGroups SupplementalGroupsPolicy FSGroup=fsGroup FSGroupChangePolicy=fsGroupChangePolicy Sysctls SeccompProfile:Profile AppArmorProfile:Profile SELinuxChangePolicy=seLinuxChangePolicy
SecurityContext Capabilities:Capabilities Privileged SELinuxOptions=seLinuxOptions WindowsOptions RunAsUser RunAsGroup RunAsNonRoot ReadOnlyRootFilesystem AllowPrivilegeEscalation ProcMount SeccompProfile:Profile AppArmorProfile:Profile
Capabilities Add Drop
Profile Type" LocalhostProfile
Volume Name" HostPath:HostPath EmptyDir:EmptyDir GCEPersistentDisk=gcePersistentDisk AWSElasticBlockStore=awsElasticBlockStore GitRepo Secret:SecretVolume NFS=nfs:NFS ISCSI=iscsi Glusterfs PersistentVolumeClaim:ClaimVolume RBD=rbd Quobyte FlexVolume Cinder CephFS=cephfs Flocker DownwardAPI=downwardAPI FC=fc AzureFile ConfigMap:ConfigMapVolume VsphereVolume AzureDisk PhotonPersistentDisk Projected:ProjectedVolume PortworxVolume ScaleIO=scaleIO StorageOS=storageos CSI=csi Ephemeral Image:ImageVolume
EmptyDir Medium" SizeLimit
SecretVolume SecretName" Items DefaultMode Optional
ConfigMapVolume Name" Items DefaultMode Optional
ClaimVolume ClaimName" ReadOnly?
ProjectedVolume Sources:Projection DefaultMode
Projection Secret DownwardAPI=downwardAPI ConfigMap ServiceAccountToken:TokenProjection ClusterTrustBundle PodCertificate
TokenProjection Audience" ExpirationSeconds0 Path"
ImageVolume Reference" PullPolicy"
StatefulSetUpdateStrategy Type" RollingUpdate:StatefulSetRollingUpdate
StatefulSetRollingUpdate Partition0 MaxUnavailable
FlowSchemaSpec PriorityLevelConfiguration{}:LocalReference MatchingPrecedence0 DistinguisherMethod Rules:PolicyRules
PolicyRules Subjects:FlowSubject ResourceRules:ResourcePolicyRule NonResourceRules:NonResourcePolicyRule
FlowSubject Kind" User Group ServiceAccount
ResourcePolicyRule Verbs APIGroups=apiGroups Resources ClusterScope? Namespaces
NonResourcePolicyRule Verbs NonResourceURLs
PriorityLevelSpec Type" Limited:LimitedLevel Exempt:ExemptLevel
LimitedLevel NominalConcurrencyShares0 LimitResponse{}:LimitResponse LendablePercent BorrowingLimitPercent
LimitResponse Type" Queuing
ExemptLevel NominalConcurrencyShares LendablePercent
ResourceClaimSpec Devices{}:DeviceClaim
DeviceClaim Requests:DeviceRequest Constraints:DeviceConstraint Config:DeviceClaimConfiguration
DeviceRequest Name" Exactly:ExactDeviceRequest FirstAvailable:DeviceSubRequest
ExactDeviceRequest DeviceClassName" Selectors:DeviceSelector AllocationMode" Count0 AdminAccess Tolerations:Toleration Capacity:CapacityRequirements
DeviceSubRequest Name" DeviceClassName" Selectors:DeviceSelector AllocationMode" Count0 Tolerations:Toleration Capacity:CapacityRequirements
DeviceSelector CEL=cel
CapacityRequirements Requests:as-is
DeviceConstraint Requests MatchAttribute DistinctAttribute
DeviceClaimConfiguration Requests Opaque:OpaqueDeviceConfiguration
OpaqueDeviceConfiguration Driver" Parameters:as-is
`;

// Read at the first error that needs it; the table never changes.
let types: Readonly<Record<string, readonly InternalField[]>> | undefined;

function typesOf(): Readonly<Record<string, readonly InternalField[]>> {
  types ??= Object.fromEntries(
    table
      .trim()
      .split('\n')
      .map((line) => {
        const [name = '', ...fields] = line.split(' ');
        return [name, fields.map(readField)];
      }),
  );
  return types;
}

function readField(text: string): InternalField {
  if (text.endsWith('...')) return { name: text.slice(0, -3), json: '', zero: null, of: 'spread' };
  const [, name = '', json, mark = '', of = ''] =
    /^([A-Za-z]+?)(?:=([a-zA-Z]+))?("|0|\?|\{\})?(?::(.+))?$/.exec(text) ?? [];
  return { name, json: json ?? name.charAt(0).toLowerCase() + name.slice(1), zero: zeros[mark] ?? null, of };
}

const zeros: Readonly<Record<string, Zero>> = { '"': '', '0': 0, '?': false, '{}': 'struct' };
