import { randomBytes, randomUUID } from 'node:crypto'
import type { User } from '../../../src/sandbox/users.ts'

/** An application as Asgardeo keeps it. */
export interface Application {
  readonly id: string
  readonly name: string
  readonly description: string
  /** Undefined for one that has nothing to do with OpenID Connect. */
  oidc: Oidc | undefined
  /** Scopes of API resources that it was authorized for, by the id of the resource. */
  readonly authorized: Map<string, readonly string[]>
}

export interface Oidc {
  clientId: string
  clientSecret: string
  callbackURLs: readonly string[]
  grantTypes: readonly string[]
  accessToken: { readonly type: 'JWT' | 'Default' }
  readonly [member: string]: unknown
}

export interface ApiResource {
  readonly id: string
  readonly identifier: string
  readonly scopes: readonly string[]
}

/** The steps that can be told to fail. */
export type Step =
  | 'token'
  | 'create'
  | 'list'
  | 'read'
  | 'update'
  | 'regenerate'
  | 'resources'
  | 'authorize-api'
  | 'delete'
  | 'dcr'
  | 'dcr-delete'
  | 'discovery'
  | 'user-token'

export interface Failure {
  /** `cut` ends the connection without an answer. */
  readonly status: number | 'cut'
  /** Answers of failures have no body unless there is one here. */
  readonly body?: string | object | ((asked: string) => object)
  readonly headers?: Readonly<Record<string, string>>
  /** What was asked for happens all the same. */
  readonly happens?: boolean
  /** How often; for ever unless given. */
  times?: number
}

export interface Asked {
  readonly method: string
  readonly path: string
  readonly step: Step | undefined
  readonly authorization: string | undefined
  readonly body: string
}

export interface AsgardeoOptions {
  /** PEM certificate and key; http without. */
  readonly tls?: { readonly cert: string; readonly key: string }
  /** Undefined for the super tenant of WSO2 Identity Server, whose paths have no `/t/`. */
  readonly organization?: string | undefined
  readonly users: readonly User[]
  /** What the machine-to-machine application is authorized for; everything unless given. */
  readonly adminScopes?: readonly string[]
  readonly apiResources?: readonly Omit<ApiResource, 'id'>[]
  /** Whether the client secret of an application can be read back. Newer organizations keep a digest only. */
  readonly showsSecrets?: boolean
  readonly accessTokenSeconds?: number
  /** Says nothing of the scopes that it grants, as RFC 6749 §5.1 permits where they are those that were asked for. */
  readonly leavesOutScope?: boolean
  /** Whether clients can be registered without an admin token (`authenticationRequired: false`). */
  readonly openRegistration?: boolean
}

export const ADMIN = { clientId: 'admin-client-of-the-proxy', clientSecret: 'secret-of-the-admin-client' } as const

export const EVERY_SCOPE = [
  'internal_application_mgt_create',
  'internal_application_mgt_delete',
  'internal_application_mgt_update',
  'internal_application_mgt_view',
  'internal_application_mgt_client_secret_view',
  'internal_application_business_api_update',
  'internal_api_resource_view',
  'internal_dcr_create',
  'internal_dcr_delete',
]

export interface State {
  readonly options: AsgardeoOptions
  /** Origin, without a final slash. */
  origin: string
  /** Origin and organization. */
  base: string
  readonly applications: Map<string, Application>
  readonly apiResources: readonly ApiResource[]
  /** Admin tokens that are good, with what they permit. */
  readonly adminTokens: Map<string, readonly string[]>
  readonly failures: Map<Step, Failure>
  readonly asked: Asked[]
}

export function createState(options: AsgardeoOptions): State {
  return {
    options,
    origin: '',
    base: '',
    applications: new Map(),
    apiResources: (options.apiResources ?? []).map((resource) => ({ ...resource, id: randomUUID() })),
    adminTokens: new Map(),
    failures: new Map(),
    asked: [],
  }
}

/** An answer; `location` and the like stand in `headers`. */
export interface Answer {
  readonly status: number
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | object | undefined
}

export interface Question {
  readonly method: string
  readonly url: URL
  /** Below the organization. */
  readonly path: string
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly body: string
}

export function findByClientId(state: State, clientId: string): (Application & { oidc: Oidc }) | undefined {
  const all = [...state.applications.values()].filter((item): item is Application & { oidc: Oidc } => item.oidc !== undefined)
  return all.find(({ oidc }) => oidc.clientId === clientId)
}

export const randomWord = (): string => randomBytes(16).toString('base64url')
