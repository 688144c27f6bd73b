/** How the process does: what `/status` of the admin listener shows, as JSON in this very form. No user, no token, no secret. */
export interface ProxyStatus {
  readonly version: string
  /** Of Node.js. */
  readonly node: string
  readonly started_at: string
  readonly uptime_seconds: number
  /** As `/readyz` says it. */
  readonly ready: boolean
  readonly state: 'serving' | 'leaving' | 'draining'
  readonly configuration: ConfigurationStatus
  readonly issuers: readonly IssuerStatus[]
  readonly servers: readonly ServerStatus[]
  readonly store: StoreStatus
  /** Whether the deny list was read, and how many users, clients, sessions and tokens are denied. */
  readonly deny_list: { readonly read: boolean; readonly entries: number }
  /** Undefined without an audit log. */
  readonly audit: AuditStatus | undefined
  readonly body_room: { readonly used_bytes: number; readonly total_bytes: number; readonly waiting: number }
  /** The newest first. */
  readonly last_errors: readonly ErrorStatus[]
}

export interface ConfigurationStatus {
  /** Undefined where it is from no file. */
  readonly file: string | undefined
  /** Equal digests are equal settings. */
  readonly digest: string
  readonly loaded_at: string
}

/** What went wrong last, and when; all may be over by now. */
export interface FailureStatus {
  readonly at: string
  readonly cause: string
}

export interface IssuerStatus {
  readonly issuer: string
  /** Undefined where there are no keys to verify with. */
  readonly keys_age_seconds: number | undefined
  readonly last_failure: FailureStatus | undefined
}

export interface ServerStatus {
  readonly name: string
  readonly open_streams: number
  /** Calls that take longer than most. */
  readonly open_calls: number
  readonly upstreams: readonly UpstreamStatus[]
}

export type UpstreamStatus = HttpUpstreamStatus | StdioUpstreamStatus

export interface HttpUpstreamStatus {
  readonly kind: 'http'
  readonly address: string
  readonly circuit: 'closed' | 'open' | 'half_open'
  readonly last_failure: FailureStatus | undefined
}

export interface StdioUpstreamStatus {
  readonly kind: 'stdio'
  readonly mcp_sessions: number
  readonly max_processes: number
  readonly processes: readonly { readonly pid: number; readonly age_seconds: number }[]
  /** The last process that crashed or could not be started. */
  readonly last_failure: FailureStatus | undefined
}

export interface StoreStatus {
  readonly kind: 'memory' | 'sqlite' | 'redis'
  readonly reachable: boolean
  readonly last_failure: FailureStatus | undefined
}

export interface AuditStatus {
  readonly writable: boolean
  readonly lost_records: number
}

/** A request that failed through no fault of its client. */
export interface ErrorStatus {
  readonly at: string
  readonly server: string | undefined
  readonly code: string
  readonly reason: string | undefined
  readonly request_id: string
}
