import type { KindDefinition } from '../kind.ts';
import { certificateSigningRequest } from './certificate-signing-request.ts';

export const kinds: readonly KindDefinition[] = [certificateSigningRequest];
