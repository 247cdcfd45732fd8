/** What plugins are written against: `import { definePlugin, z } from 'k8ts/sdk'`. */
export { z } from 'zod';
export { FieldError, FieldPath, invalidValue, required } from '../apimachinery/field.ts';
export type { Logger } from '../apimachinery/logger.ts';
export type { ObjectMeta, UnstructuredObject } from '../apimachinery/meta.ts';
export {
  badRequest,
  conflict,
  forbidden,
  invalid,
  isStatusError,
  notFound,
  StatusError,
  tooManyRequests,
} from '../apimachinery/status-error.ts';
export type { Client, ResourceClient, ResourceType } from '../client/client.ts';
export type { AdmissionAttributes, AdmissionOperation, AdmissionStep } from './admission.ts';
export type { AuthenticationRequest, AuthenticationResult, Authenticator } from './authentication.ts';
export type {
  AuthorizationAttributes,
  AuthorizationDecision,
  Authorizer,
  ListedRules,
  NonResourceRule,
  ResourceRule,
} from './authorization.ts';
export {
  definePlugin,
  type OptionsOf,
  type OptionsSchema,
  type Plugin,
  type PluginContext,
  type PluginContextOf,
  type PluginDefinition,
  type PluginMetrics,
  type PluginRegistrations,
  type PluginType,
  type StopPlugin,
} from './plugin.ts';
export { ANONYMOUS, SYSTEM_AUTHENTICATED, SYSTEM_MASTERS, SYSTEM_UNAUTHENTICATED, type UserInfo } from './user.ts';
