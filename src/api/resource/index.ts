import type { KindDefinition } from '../kind.ts';
import { deviceClass } from './device-class.ts';
import { resourceClaim } from './resource-claim.ts';
import { resourceClaimTemplate } from './resource-claim-template.ts';
import { resourceSlice } from './resource-slice.ts';

export const kinds: readonly KindDefinition[] = [deviceClass, resourceClaim, resourceClaimTemplate, resourceSlice];
