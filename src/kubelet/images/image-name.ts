const DEFAULT_REGISTRY = 'docker.io';
const REFERENCE =
  /^(?<name>(?:(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)(?:\.(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?))*(?::[0-9]+)?\/|\[[a-fA-F0-9:]+\](?::[0-9]+)?\/)?[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*)(?::(?<tag>\w[\w.-]{0,127}))?(?:@(?<digest>[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}))?$/;

export interface ImageReference {
  /** `docker.io`, `localhost:5000`, ... */
  readonly registry: string;
  readonly repository: string;
  readonly tag: string | undefined;
  readonly digest: string | undefined;
}

/** Reads an image name as Docker does; throws an Error with the words `invalid reference format`. */
export function parseImageName(image: string): ImageReference {
  const match = REFERENCE.exec(image)?.groups;
  if (!match?.name) {
    const upper = image !== image.toLowerCase() && REFERENCE.test(image.toLowerCase());
    throw new Error(
      `couldn't parse image name "${image}": invalid reference format${upper ? ': repository name must be lowercase' : ''}`,
    );
  }
  const slash = match.name.indexOf('/');
  const first = slash < 0 ? '' : match.name.slice(0, slash);
  const hasRegistry =
    first !== '' &&
    (first.includes('.') || first.includes(':') || first === 'localhost' || first !== first.toLowerCase());
  const registry = hasRegistry ? first : DEFAULT_REGISTRY;
  const path = hasRegistry ? match.name.slice(slash + 1) : match.name;
  const repository = registry === DEFAULT_REGISTRY && !path.includes('/') ? `library/${path}` : path;
  return {
    registry: registry === 'index.docker.io' ? DEFAULT_REGISTRY : registry,
    repository,
    tag: match.tag,
    digest: match.digest,
  };
}

/** The full form: `busybox` is `docker.io/library/busybox:latest`. */
export function normalizeImageName(image: string): string {
  const { registry, repository, tag, digest } = parseImageName(image);
  const suffix = digest ? `${tag ? `:${tag}` : ''}@${digest}` : `:${tag ?? 'latest'}`;
  return `${registry}/${repository}${suffix}`;
}

/** `Always` for `latest` and untagged images without a digest, else `IfNotPresent`: the API server's default, for objects without one. */
export function defaultPullPolicy(image: string): 'Always' | 'IfNotPresent' {
  try {
    const { tag, digest } = parseImageName(image);
    return !digest && (tag ?? 'latest') === 'latest' ? 'Always' : 'IfNotPresent';
  } catch {
    return 'IfNotPresent';
  }
}
