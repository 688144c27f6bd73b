/** How this process reaches other hosts: directly, or through the egress proxy of its network. */
export interface EgressPlan {
  /** For https URLs; undefined: they are reached directly. */
  readonly https: EgressProxyPlan | undefined
  /** For http URLs; undefined: they are reached directly. */
  readonly http: EgressProxyPlan | undefined
  /** Hosts that are reached directly all the same. This machine always is. */
  readonly direct: readonly HostPattern[]
  /** Hosts whose names the egress proxy resolves, although it was not the operator who named them. */
  readonly resolvedByProxy: readonly HostPattern[]
}

/** An egress proxy. */
export interface EgressProxyPlan {
  /** Scheme (http or https), host and port; no credentials. */
  readonly origin: string
  readonly credentials: { readonly username: string; readonly password: string } | undefined
  /** PEM text of additional certificate authorities for the proxy's own certificate. */
  readonly ca: string | undefined
}

/** Which hosts something applies to. An undefined port is any. */
export type HostPattern =
  | { readonly kind: 'any' }
  | {
      readonly kind: 'name'
      /** Lower case, no final dot. An address is a name that has no subdomains. */
      readonly name: string
      readonly includes: 'itself' | 'subdomains' | 'both'
      readonly port: string | undefined
    }
  | { readonly kind: 'network'; readonly address: string; readonly prefix: number }

/** Everything is reached directly. */
export const DIRECT: EgressPlan = { https: undefined, http: undefined, direct: [], resolvedByProxy: [] }
