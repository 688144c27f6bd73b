import { type ErrorCode, ProxyError } from '../../core/errors.ts'

/** What may be out of reach without any fault of the client or user. */
const OUTAGES: ReadonlySet<ErrorCode> = new Set<ErrorCode>(['store_unavailable', 'client_unavailable'])

/** The temporary outage behind an error, through what the provider library wraps around it; undefined for any other error. */
export function findOutage(error: unknown): ProxyError | undefined {
  if (error instanceof ProxyError && OUTAGES.has(error.code)) return error
  return error instanceof Error ? findOutage(error.cause) : undefined
}
