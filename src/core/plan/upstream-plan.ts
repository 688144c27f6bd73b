import type { EgressPlan } from './egress-plan.ts'

/** An MCP server behind us. */
export type UpstreamPlan = HttpUpstreamPlan | StdioUpstreamPlan

/** An MCP server over HTTP. */
export interface HttpUpstreamPlan {
  readonly kind: 'http'
  readonly url: string
  /** Absolute path of the Unix socket on which it listens; undefined for TCP, to where the URL says. */
  readonly socket: string | undefined
  /** Headers that the upstream gets from us (its own credential, for example); names in lower case. */
  readonly headers: Readonly<Record<string, string>>
  readonly connectSeconds: number
  /** Seconds until the response headers; never bounds a stream. */
  readonly responseSeconds: number
  /** Seconds after which a silent event stream gets a comment; 0 for none. */
  readonly heartbeatSeconds: number
  /** Whether a redirect that changes nothing but a final slash is followed. */
  readonly followSlashRedirects: boolean
  /** PEM text of additional certificate authorities. */
  readonly ca: string | undefined
  readonly egress: EgressPlan
}

/** An MCP server as a child process that speaks over its standard streams. */
export interface StdioUpstreamPlan {
  readonly kind: 'stdio'
  /** Program and arguments. No shell reads them. */
  readonly command: readonly string[]
  /** Working directory; undefined for our own. */
  readonly workDir: string | undefined
  /** What the child gets besides a minimal environment. */
  readonly env: Readonly<Record<string, string>>
  /** Values that are masked in the log if the child writes them. */
  readonly secrets: readonly string[]
  /** `session`: a process for each MCP session. `shared`: one process for all clients; for stateless servers. */
  readonly processPer: 'session' | 'shared'
  /** Most processes at a time. */
  readonly maxProcesses: number
  /** Seconds after which an unused process is ended. */
  readonly idleSeconds: number
  /** Seconds that a server gets to answer its first request. */
  readonly startSeconds: number
  /** Seconds that a request may go without an answer or progress. */
  readonly requestSeconds: number
  /** Longest message of the server, in bytes. */
  readonly maxMessageBytes: number
}
