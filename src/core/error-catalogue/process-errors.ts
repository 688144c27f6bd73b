import type { ErrorEntry } from './error-entry.ts'

/** Reasons to end a request that have nothing to do with what it asks for. */
export const processErrors = {
  client_gone: {
    status: 499,
    message: 'The client closed the connection',
    remedy: 'Nothing to do: the request to the MCP server was cancelled. Never sent, only logged.',
  },
  shutting_down: {
    status: 503,
    message: 'The proxy is shutting down',
    remedy: 'Send the request again; another instance will answer it.',
  },
  audit_unavailable: {
    status: 503,
    message: 'The request cannot be recorded at the moment',
    remedy:
      'The audit log cannot be written, and `audit.fail` is `refuse`. The log line of the outage has the cause: a full or read-only disk, a deleted folder, another process with the same file. The proxy tries again every second.',
  },
  internal_error: {
    status: 500,
    jsonRpcCode: -32603,
    message: 'Internal error',
    remedy: 'This is a bug. Please report it with the stack trace in the log line.',
  },
} as const satisfies Record<string, ErrorEntry>
