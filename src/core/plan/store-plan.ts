export type StorePlan = { readonly kind: 'memory' } | { readonly kind: 'sqlite'; readonly file: string } | RedisStorePlan

/** Redis or Valkey. */
export interface RedisStorePlan {
  readonly kind: 'redis'
  readonly place: RedisPlace
  readonly user: RedisUser
  /** Undefined for connections in the clear. */
  readonly tls: RedisTls | undefined
  /** Of all keys. */
  readonly prefix: string
  /** How many replicas must have a write before it counts; 0 for none. */
  readonly waitForReplicas: number
}

/** How the server that takes writes is found. */
export type RedisPlace =
  | { readonly kind: 'server'; readonly node: RedisNode; readonly database: number }
  | { readonly kind: 'sentinel'; readonly nodes: readonly RedisNode[]; readonly master: string; readonly user: RedisUser }
  | { readonly kind: 'cluster'; readonly nodes: readonly RedisNode[] }

export interface RedisNode {
  /** A name, or an address without brackets. */
  readonly host: string
  readonly port: number
}

export interface RedisUser {
  /** The default user unless given. */
  readonly username: string | undefined
  readonly password: string | undefined
}

/** PEM texts. */
export interface RedisTls {
  readonly ca: string | undefined
  readonly cert: string | undefined
  readonly key: string | undefined
  /** The name that certificates are checked against, instead of the host that was connected to. */
  readonly serverName: string | undefined
}
