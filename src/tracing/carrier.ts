import { propagation, ROOT_CONTEXT, type SpanContext, type TextMapGetter, trace } from '@opentelemetry/api'

/** Fields whose values may be spread over several of them (W3C Trace Context §3.3.1). */
const LISTS: readonly string[] = ['tracestate']

/** A second field of one name could be read in two ways: then none of them counts. */
const fieldsOfRequest: TextMapGetter<readonly string[]> = {
  keys: (rawHeaders) => rawHeaders.filter((_, index) => index % 2 === 0),
  get(rawHeaders, name) {
    // Written by clients, and meant for the MCP server: it goes there unchanged.
    if (name === 'baggage') return undefined
    const values = rawHeaders.filter((_, index) => index % 2 === 1 && rawHeaders[index - 1]?.toLowerCase() === name)
    return values.length > 1 ? (LISTS.includes(name) ? values.join(',') : undefined) : values[0]
  },
}

/** @returns the span that a request names in its header section, if it names one as the configured propagators have it */
export function findSpanInHeaders(rawHeaders: readonly string[]): SpanContext | undefined {
  return trace.getSpanContext(propagation.extract(ROOT_CONTEXT, rawHeaders, fieldsOfRequest))
}

/** @param fields - of `_meta`, by name */
export function findSpanInFields(fields: Readonly<Record<string, string>>): SpanContext | undefined {
  return trace.getSpanContext(propagation.extract(ROOT_CONTEXT, fields))
}
