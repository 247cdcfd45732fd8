import { type FieldError, type FieldPath, invalidValue } from '../../../apimachinery/field.ts';
import { isDns1123Subdomain } from '../../../apimachinery/names.ts';
import type { PodSpec, WindowsSecurityContextOptions } from '../../types/core.v1.gen.ts';
import { visitContainers } from './visit-containers.ts';

const MAX_SPEC_KIB = 64;
const MAX_DOMAIN = 256;
const MAX_USER = 104;

const netBiosName = /^[^\\/:*?"<>|.][^\\/:*?"<>|]{0,14}$/;
const dnsLabel = '[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?';
const dnsName = new RegExp(`^${dnsLabel}(?:\\.${dnsLabel})*$`);
// biome-ignore lint/suspicious/noControlCharactersInRegex: it is they that are refused
const control = /[\u0000-\u001f\u007f]/;

export function validateWindowsOptions(
  options: WindowsSecurityContextOptions | undefined,
  path: FieldPath,
): FieldError[] {
  if (!options) return [];
  const { gmsaCredentialSpecName, gmsaCredentialSpec, runAsUserName } = options;
  const errors: FieldError[] = [];
  if (gmsaCredentialSpecName !== undefined)
    for (const message of isDns1123Subdomain(gmsaCredentialSpecName))
      errors.push(invalidValue(path.child('gmsaCredentialSpecName'), gmsaCredentialSpecName, message));
  if (gmsaCredentialSpec !== undefined) {
    const at = path.child('gmsaCredentialSpec');
    if (gmsaCredentialSpec === '')
      errors.push(invalidValue(at, gmsaCredentialSpec, 'gmsaCredentialSpec cannot be an empty string'));
    else if (Buffer.byteLength(gmsaCredentialSpec) > MAX_SPEC_KIB * 1024)
      errors.push(invalidValue(at, gmsaCredentialSpec, `gmsaCredentialSpec size must be under ${MAX_SPEC_KIB} KiB`));
  }
  if (runAsUserName !== undefined)
    for (const message of userNameMessages(runAsUserName))
      errors.push(invalidValue(path.child('runAsUserName'), runAsUserName, message));
  return errors;
}

/** `DOMAIN\user`, the domain optional. */
function userNameMessages(name: string): string[] {
  if (name === '') return ['runAsUserName cannot be an empty string'];
  if (control.test(name)) return ['runAsUserName cannot contain control characters'];
  const parts = name.split('\\');
  if (parts.length > 2) return ['runAsUserName cannot contain more than one backslash'];
  const domain = parts.length === 2 ? parts[0] : undefined;
  const user = parts.at(-1) ?? '';
  const messages: string[] = [];
  if (domain !== undefined) {
    if (domain.length >= MAX_DOMAIN)
      messages.push(`runAsUserName's Domain length must be under ${MAX_DOMAIN} characters`);
    if (!netBiosName.test(domain) && !dnsName.test(domain))
      messages.push("runAsUserName's Domain doesn't match the NetBios nor the DNS format");
  }
  if (user === '') messages.push("runAsUserName's User cannot be empty");
  else if (user.length > MAX_USER)
    messages.push(`runAsUserName's User length must not be longer than ${MAX_USER} characters`);
  if (/^[. ]+$/.test(user)) messages.push("runAsUserName's User cannot contain only periods or spaces");
  if (/["/\\:;|=,+*?<>@[\]]/.test(user))
    messages.push(`runAsUserName's User cannot contain the following characters: "/\\:;|=,+*?<>@[]`);
  return messages;
}

/** Containers that are processes of a Windows host: all of a pod or none, and in the host's network. */
export function validateHostProcess(spec: PodSpec, path: FieldPath): FieldError[] {
  const errors: FieldError[] = [];
  const ofPod = spec.securityContext?.windowsOptions?.hostProcess;
  let containers = 0;
  let hostProcesses = 0;
  visitContainers(spec, path, ({ securityContext }, at) => {
    containers++;
    const own = securityContext?.windowsOptions?.hostProcess;
    if (ofPod !== undefined && own !== undefined && ofPod !== own)
      errors.push(
        invalidValue(
          at.child('securityContext', 'windowsOptions', 'hostProcess'),
          own,
          `pod hostProcess value must be identical if both are specified, was ${ofPod}`,
        ),
      );
    if (own ?? ofPod) hostProcesses++;
  });
  if (hostProcesses === 0) return errors;
  if (hostProcesses !== containers)
    errors.push(
      invalidValue(
        path,
        '',
        'If pod contains any hostProcess containers then all containers must be HostProcess containers',
      ),
    );
  if (!spec.hostNetwork)
    errors.push(
      invalidValue(
        path.child('hostNetwork'),
        false,
        'hostNetwork must be true if pod contains any hostProcess containers',
      ),
    );
  return errors;
}
