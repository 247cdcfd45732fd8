/**
 * What a pod or a template may have because it had it before: rules that are younger than stored objects spare those
 * that break them already.
 */
export interface PodAllowances {
  readonly anyDeletionCost: boolean;
  /** Amounts of huge pages that are no multiple of the page. */
  readonly dividedHugePages: boolean;
  /** Of selectors in affinity terms between pods. */
  readonly anySelectorValue: boolean;
  readonly anyNodeAffinityValue: boolean;
  readonly anySpreadSelector: boolean;
  readonly anySpreadLabelKeys: boolean;
  /** Sysctls of a namespace that the pod shares with its host. */
  readonly sharedSysctls: boolean;
  readonly anyTokenPath: boolean;
  readonly hostNetworkOfOwnUsers: boolean;
  readonly volumeDevicesOfOwnUsers: boolean;
  /** The operators Lt and Gt. */
  readonly comparingTolerations: boolean;
  /** `MountOption`. */
  readonly anySELinuxChangePolicy: boolean;
}

export const noAllowances: PodAllowances = {
  anyDeletionCost: false,
  dividedHugePages: false,
  anySelectorValue: false,
  anyNodeAffinityValue: false,
  anySpreadSelector: false,
  anySpreadLabelKeys: false,
  sharedSysctls: false,
  anyTokenPath: false,
  hostNetworkOfOwnUsers: false,
  volumeDevicesOfOwnUsers: false,
  comparingTolerations: false,
  anySELinuxChangePolicy: false,
};
