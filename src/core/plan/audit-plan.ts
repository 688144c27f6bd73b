/** Where and how the audit log is kept. */
export interface AuditPlan {
  readonly target: { readonly kind: 'file'; readonly path: string } | { readonly kind: 'stdout' }
  /** Whether records have digests of arguments. */
  readonly digestsArguments: boolean
  readonly rotation: RotationPlan
  /** What happens while it cannot be written. `refuse`: nothing new is served. */
  readonly fail: 'drop' | 'refuse'
  /** Undefined where records are not chained. */
  readonly chain: ChainPlan | undefined
}

export interface RotationPlan {
  /** A file that has reached this is set aside. */
  readonly bytes: number
  /** Age at which a file is set aside; undefined for any age. */
  readonly seconds: number | undefined
  /** Files that are kept beside the current one; undefined for all. */
  readonly keep: number | undefined
}

export interface ChainPlan {
  /** Ed25519 private key, PEM or JWK. */
  readonly key: string
  /** Seconds after which records have a signature at the latest. */
  readonly checkpointSeconds: number
}
