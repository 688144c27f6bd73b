import {
  type DiagLogFunction,
  DiagLogLevel,
  diag,
  isSpanContextValid,
  propagation,
  ROOT_CONTEXT,
  type Tracer,
  trace,
} from '@opentelemetry/api'
import { NodeSDK } from '@opentelemetry/sdk-node'
import { listenToFetches, type OutboundFetch } from '../core/outbound-fetch.ts'
import type { Tracing } from '../core/tracing.ts'
import { readVersion } from '../core/version.ts'
import { FetchSpan } from './fetch-span.ts'
import { RequestSpan } from './request-span.ts'
import { traceUpstream } from './traced-upstream.ts'
import { findWaiting } from './waiting.ts'

const NAME = 'open-mcp-auth-proxy'
/** Milliseconds for which the end of the process waits for a collector. */
const FLUSH_MS = 3000

/**
 * @param onIssue - called with what the SDK has to say
 * @throws Error where the environment cannot be used
 */
export function startSdk(onIssue: (message: string) => void): Tracing {
  const close = isStarted() ? async (): Promise<void> => undefined : start(onIssue)
  const tracer = trace.getTracer(NAME, readVersion())
  const stopListening = listenToFetches((fetch) => traceFetch(tracer, fetch))
  return {
    open: (rawHeaders) => new RequestSpan(tracer, rawHeaders),
    traceUpstream,
    close() {
      stopListening()
      return close()
    },
  }
}

/** Two proxies in one process have one SDK: the first that hears of a fetch traces it. */
function traceFetch(tracer: Tracer, fetch: OutboundFetch): void {
  if (fetch.trace !== undefined) return
  const span = new FetchSpan(tracer, fetch)
  fetch.trace = span
  const take = findWaiting()?.take
  if (take === undefined) span.open(ROOT_CONTEXT)
  else take(span)
}

/** An application that this is a part of, or `node --import`, may have started an SDK of its own: then spans go there. */
function isStarted(): boolean {
  return isSpanContextValid(trace.getTracer(NAME).startSpan('').spanContext())
}

/** Everything that is not said here, the SDK reads from the environment. Metrics and logs are not its business. */
function start(onIssue: (message: string) => void): () => Promise<void> {
  listenToDiagnostics(onIssue)
  const options = {
    ...(isNamed() ? {} : { serviceName: NAME }),
    instrumentations: [],
    metricReaders: [],
    logRecordProcessors: [],
  }
  const sdk = withEnvironment(chooseEnvironment(), () => new NodeSDK(options))
  sdk.start()
  return () => close(sdk)
}

/** What the SDK takes from the environment alone. */
function chooseEnvironment(): Readonly<Record<string, string | undefined>> {
  return {
    // Without `process`: the arguments of the process name the MCP server's program, and may hold its secrets.
    OTEL_NODE_RESOURCE_DETECTORS: process.env.OTEL_NODE_RESOURCE_DETECTORS || 'env,host,os,serviceinstance',
    // It would take the console, where the log goes.
    OTEL_LOG_LEVEL: undefined,
  }
}

/** `OTEL_SERVICE_NAME` and `OTEL_RESOURCE_ATTRIBUTES` name the service (OpenTelemetry, Resource SDK). */
function isNamed(): boolean {
  const { OTEL_SERVICE_NAME = '', OTEL_RESOURCE_ATTRIBUTES = '' } = process.env
  return OTEL_SERVICE_NAME !== '' || /(?:^|,)\s*service\.name\s*=/.test(OTEL_RESOURCE_ATTRIBUTES)
}

function withEnvironment<T>(variables: Readonly<Record<string, string | undefined>>, create: () => T): T {
  const before = Object.fromEntries(Object.keys(variables).map((name) => [name, process.env[name]]))
  setEnvironment(variables)
  try {
    return create()
  } finally {
    setEnvironment(before)
  }
}

function setEnvironment(variables: Readonly<Record<string, string | undefined>>): void {
  for (const [name, value] of Object.entries(variables)) {
    if (value === undefined) delete process.env[name]
    else process.env[name] = value
  }
}

function listenToDiagnostics(onIssue: (message: string) => void): void {
  const tell: DiagLogFunction = (message) => onIssue(readDiagnostic(message))
  const ignore: DiagLogFunction = () => undefined
  const logger = { error: tell, warn: tell, info: ignore, debug: ignore, verbose: ignore }
  diag.setLogger(logger, { logLevel: DiagLogLevel.WARN, suppressOverrideMessage: true })
}

/** Errors of exporters come as JSON, with their stacks. */
function readDiagnostic(text: string): string {
  try {
    const { message } = JSON.parse(text) as { readonly message?: unknown }
    return typeof message === 'string' && message !== '' ? message : text
  } catch {
    return text
  }
}

/** A collector that does not answer must not hold the end of the process. */
async function close(sdk: NodeSDK): Promise<void> {
  const late = AbortSignal.timeout(FLUSH_MS)
  const ended = new Promise<void>((resolve) => late.addEventListener('abort', () => resolve()))
  await Promise.race([sdk.shutdown(), ended]).catch((error: Error) => diag.error(error.message))
  for (const api of [trace, propagation, diag]) api.disable()
}
