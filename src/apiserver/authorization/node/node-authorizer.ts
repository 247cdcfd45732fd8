import type { AuthorizationAttributes, AuthorizationDecision, Authorizer } from '../../../sdk/authorization.ts';
import type { UserInfo } from '../../../sdk/user.ts';
import { NODE_RULES } from '../rbac/node-rules.ts';
import { compileRules, ruleAllows } from '../rbac/rule-matcher.ts';
import { NodeGraph, type NodeGraphSource } from './node-graph.ts';

const NODES_GROUP = 'system:nodes';
const NODE_PREFIX = 'system:node:';

/** What a node has exactly one of, named like itself. */
interface OwnObject {
  readonly what: string;
  readonly name: string;
  readonly namespace: string;
}
const LEASE: OwnObject = { what: 'node lease', name: 'lease', namespace: 'kube-node-lease' };
const CSI_NODE: OwnObject = { what: 'CSINode', name: 'CSINode', namespace: '' };

const allowed: AuthorizationDecision = { decision: 'allow' };
const notANode: AuthorizationDecision = { decision: 'noOpinion' };
const no = (reason: string): AuthorizationDecision => ({ decision: 'noOpinion', reason });

/** The node that a user is, or undefined. A member of `system:nodes` without a node's name is `''`. */
export function nodeNameOf(user: UserInfo): string | undefined {
  if (!user.groups.includes(NODES_GROUP)) return undefined;
  return user.name.startsWith(NODE_PREFIX) ? user.name.slice(NODE_PREFIX.length) : '';
}

/** Nodes read what their pods use and write what is theirs; nothing of other nodes. */
export class NodeAuthorizer implements Authorizer {
  readonly name = 'Node';
  readonly graph = new NodeGraph();
  readonly #rules = compileRules(NODE_RULES);
  readonly #unsubscribe: (() => void) | undefined;

  constructor(source?: NodeGraphSource) {
    this.#unsubscribe = source && this.graph.subscribe(source);
  }

  stop(): void {
    this.#unsubscribe?.();
  }

  /** Others have no rights from here; those of nodes are no list. */
  rulesFor(user: UserInfo): { resource: []; nonResource: [] } | undefined {
    return user.groups.includes(NODES_GROUP) && user.name.startsWith(NODE_PREFIX)
      ? undefined
      : { resource: [], nonResource: [] };
  }

  authorize(attributes: AuthorizationAttributes): AuthorizationDecision {
    const { user } = attributes;
    if (!user.name.startsWith(NODE_PREFIX) && !user.groups.includes(NODES_GROUP)) return notANode;
    const nodeName = nodeNameOf(user);
    if (nodeName === undefined) return notANode;
    if (nodeName === '') return no(`unknown node for user ${JSON.stringify(user.name)}`);
    if (!attributes.resourceRequest) return no('');
    switch (`${attributes.group}/${attributes.resource}`) {
      case '/secrets':
        return this.#read(nodeName, attributes);
      case '/configmaps':
        return this.#read(nodeName, attributes);
      case '/persistentvolumeclaims':
        return attributes.subresource === 'status'
          ? this.#updateStatus(nodeName, attributes)
          : this.#get(nodeName, attributes);
      case '/persistentvolumes':
      case 'storage.k8s.io/volumeattachments':
      case 'resource.k8s.io/resourceclaims':
        return this.#get(nodeName, attributes);
      case '/serviceaccounts':
        return attributes.subresource === 'token'
          ? this.#createToken(nodeName, attributes)
          : this.#get(nodeName, attributes);
      case 'coordination.k8s.io/leases':
        return this.#own(nodeName, attributes, LEASE);
      case 'storage.k8s.io/csinodes':
        return this.#own(nodeName, attributes, CSI_NODE);
      case 'resource.k8s.io/resourceslices':
        return this.#resourceSlice(nodeName, attributes);
      case '/nodes':
        return this.#node(nodeName, attributes);
      case '/pods':
        return this.#pod(nodeName, attributes);
      default:
        return this.#general(attributes);
    }
  }

  #general(attributes: AuthorizationAttributes): AuthorizationDecision {
    const combined = attributes.subresource ? `${attributes.resource}/${attributes.subresource}` : attributes.resource;
    return this.#rules.some((rule) => ruleAllows(rule, attributes, combined)) ? allowed : no('');
  }

  #read(nodeName: string, attributes: AuthorizationAttributes): AuthorizationDecision {
    if (!['get', 'list', 'watch'].includes(attributes.verb)) return no(`can only read resources of this type`);
    if (attributes.subresource) return no('cannot read subresource');
    if (!attributes.namespace) return no('can only read namespaced object of this type');
    return this.#reachable(nodeName, attributes);
  }

  #get(nodeName: string, attributes: AuthorizationAttributes): AuthorizationDecision {
    if (attributes.verb !== 'get') return no('can only get individual resources of this type');
    if (attributes.subresource) return no('cannot get subresource');
    return this.#reachable(nodeName, attributes);
  }

  #updateStatus(nodeName: string, attributes: AuthorizationAttributes): AuthorizationDecision {
    if (attributes.verb !== 'update' && attributes.verb !== 'patch') return no('can only get/update/patch this type');
    return this.#reachable(nodeName, attributes);
  }

  #createToken(nodeName: string, attributes: AuthorizationAttributes): AuthorizationDecision {
    if (attributes.verb !== 'create' || !attributes.name)
      return no('can only create tokens for individual service accounts');
    return this.#reachable(nodeName, attributes);
  }

  #reachable(nodeName: string, { resource, namespace, name }: AuthorizationAttributes): AuthorizationDecision {
    if (!name) return no('No Object name found');
    if (this.graph.reaches(nodeName, resource, namespace, name)) return allowed;
    return no(`no relationship found between node '${nodeName}' and this object`);
  }

  #own(
    nodeName: string,
    attributes: AuthorizationAttributes,
    { what, name: noun, namespace }: OwnObject,
  ): AuthorizationDecision {
    const { verb, name } = attributes;
    if (!['get', 'create', 'update', 'patch', 'delete'].includes(verb))
      return no(`can only get, create, update, patch, or delete a ${what}`);
    if (attributes.subresource) return no(`cannot authorize ${noun} subresources`);
    if (attributes.namespace !== namespace)
      return no(`can only access leases in the ${JSON.stringify(namespace)} system namespace`);
    // A create names its object in the body; NodeRestriction looks at it.
    if (verb !== 'create' && name !== nodeName)
      return no(`can only access ${what} with the same name as the requesting node`);
    return allowed;
  }

  #resourceSlice(nodeName: string, attributes: AuthorizationAttributes): AuthorizationDecision {
    if (attributes.subresource) return no('cannot authorize ResourceSlice subresources');
    switch (attributes.verb) {
      case 'create':
        return allowed;
      case 'get':
      case 'update':
      case 'patch':
      case 'delete':
        return this.#reachable(nodeName, attributes);
      case 'list':
      case 'watch':
      case 'deletecollection':
        return selects(attributes.fieldSelector, 'spec.nodeName', nodeName)
          ? allowed
          : no('can only list/watch/deletecollection resourceslices with nodeName field selector');
      default:
        return no(
          'only the following verbs are allowed for a ResourceSlice: get, watch, list, create, update, patch, delete, deletecollection',
        );
    }
  }

  #node(nodeName: string, attributes: AuthorizationAttributes): AuthorizationDecision {
    const { verb, subresource, name, fieldSelector } = attributes;
    if (subresource && subresource !== 'status') return this.#general(attributes);
    switch (verb) {
      case 'create':
        return subresource ? no('') : allowed;
      // NodeRestriction sees to it that a node changes no other.
      case 'update':
      case 'patch':
        return allowed;
      case 'get':
      case 'list':
      case 'watch':
        if (subresource) return no('');
        if (name === nodeName || selects(fieldSelector, 'metadata.name', nodeName)) return allowed;
        return no(`node '${nodeName}' cannot read ${name ? `'${name}'` : 'all nodes'}, only its own Node object`);
      default:
        return no('');
    }
  }

  #pod(nodeName: string, attributes: AuthorizationAttributes): AuthorizationDecision {
    const { verb, subresource, namespace, name, fieldSelector } = attributes;
    if (subresource) return this.#general(attributes);
    switch (verb) {
      case 'get':
        return this.#reachable(nodeName, attributes);
      case 'list':
      case 'watch':
        if (selects(fieldSelector, 'spec.nodeName', nodeName)) return allowed;
        if (name && this.graph.reaches(nodeName, 'pods', namespace, name)) return allowed;
        return no('can only list/watch pods with spec.nodeName field selector');
      default:
        return this.#general(attributes);
    }
  }
}

/** True when the field selector demands that `field` equals `value`. */
function selects(fieldSelector: string | undefined, field: string, value: string): boolean {
  return (
    fieldSelector?.split(',').some((part) => part === `${field}=${value}` || part === `${field}==${value}`) ?? false
  );
}
