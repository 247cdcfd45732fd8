import type { Draft } from '../../apimachinery/json.ts';
import type { UnstructuredObject } from '../../apimachinery/meta.ts';
import type { UserInfo } from '../../sdk/user.ts';

/** Undoes or makes final what a hook reserved. */
export type Finish = (succeeded: boolean) => void;

export interface HookOptions {
  readonly dryRun: boolean;
  readonly user: UserInfo;
}

/** What a resource does beyond its definition: allocations, and deletions with rules of their own. */
export interface ResourceHooks {
  /** After the kind's own preparation, before validation: the object may be invalid. Throws StatusError to refuse. */
  beginCreate?(
    object: Draft<UnstructuredObject>,
    options: HookOptions,
  ): Finish | undefined | Promise<Finish | undefined>;
  beginUpdate?(
    object: Draft<UnstructuredObject>,
    old: UnstructuredObject,
    options: HookOptions,
  ): Finish | undefined | Promise<Finish | undefined>;
  /** After it is gone from the store. */
  afterDelete?(object: UnstructuredObject): void;
  /** Called on what a deletion request finds; true: the object stays, as changed, until something else ends it. */
  markForDeletion?(object: Draft<UnstructuredObject>, now: number): boolean;
  /** True: an object that is marked for deletion and has no finalizers stays all the same. */
  holdsDeletion?(object: UnstructuredObject): boolean;
}
