import { type DiagLogFunction, DiagLogLevel, diag, isSpanContextValid, propagation, trace } from '@opentelemetry/api'
import { NodeSDK } from '@opentelemetry/sdk-node'
import type { Tracing } from '../core/tracing.ts'
import { readVersion } from '../core/version.ts'
import { RequestSpan } from './request-span.ts'
import { traceUpstream } from './traced-upstream.ts'

const NAME = 'open-mcp-auth-proxy'
const DETECTORS_VARIABLE = 'OTEL_NODE_RESOURCE_DETECTORS'
/** Without `process`: the arguments of the process name the MCP server's program, and may hold its secrets. */
const DETECTORS = 'env,host,os,serviceinstance'
/** Milliseconds for which the end of the process waits for a collector. */
const FLUSH_MS = 3000

/**
 * @param onIssue - called with what the SDK has to say
 * @throws Error where the environment cannot be used
 */
export function startSdk(onIssue: (message: string) => void): Tracing {
  const close = isStarted() ? async (): Promise<void> => undefined : start(onIssue)
  const tracer = trace.getTracer(NAME, readVersion())
  return { open: (rawHeaders) => new RequestSpan(tracer, rawHeaders), traceUpstream, close }
}

/** An application that this is a part of, or `node --import`, may have started an SDK of its own: then spans go there. */
function isStarted(): boolean {
  return isSpanContextValid(trace.getTracer(NAME).startSpan('').spanContext())
}

/** Everything that is not said here, the SDK reads from the environment. Metrics and logs are not its business. */
function start(onIssue: (message: string) => void): () => Promise<void> {
  listenToDiagnostics(onIssue)
  const sdk = withDefault(
    DETECTORS_VARIABLE,
    DETECTORS,
    () =>
      new NodeSDK({
        ...(isNamed() ? {} : { serviceName: NAME }),
        instrumentations: [],
        metricReaders: [],
        logRecordProcessors: [],
      }),
  )
  // With OTEL_LOG_LEVEL it has taken the console, where our log goes.
  listenToDiagnostics(onIssue)
  sdk.start()
  return () => close(sdk)
}

/** `OTEL_SERVICE_NAME` and `OTEL_RESOURCE_ATTRIBUTES` name the service (OpenTelemetry, Resource SDK). */
function isNamed(): boolean {
  const { OTEL_SERVICE_NAME = '', OTEL_RESOURCE_ATTRIBUTES = '' } = process.env
  return OTEL_SERVICE_NAME !== '' || /(?:^|,)\s*service\.name\s*=/.test(OTEL_RESOURCE_ATTRIBUTES)
}

/** The SDK has no other way to choose detectors by their names. */
function withDefault<T>(name: string, value: string, create: () => T): T {
  const given = process.env[name]
  if (given !== undefined && given !== '') return create()
  process.env[name] = value
  try {
    return create()
  } finally {
    if (given === undefined) delete process.env[name]
    else process.env[name] = given
  }
}

function listenToDiagnostics(onIssue: (message: string) => void): void {
  const tell: DiagLogFunction = (message) => onIssue(message)
  const ignore: DiagLogFunction = () => undefined
  const logger = { error: tell, warn: tell, info: ignore, debug: ignore, verbose: ignore }
  diag.setLogger(logger, { logLevel: DiagLogLevel.WARN, suppressOverrideMessage: true })
}

/** A collector that does not answer must not hold the end of the process. */
async function close(sdk: NodeSDK): Promise<void> {
  const late = AbortSignal.timeout(FLUSH_MS)
  const ended = new Promise<void>((resolve) => late.addEventListener('abort', () => resolve()))
  await Promise.race([sdk.shutdown(), ended]).catch((error: Error) => diag.error(error.message))
  for (const api of [trace, propagation, diag]) api.disable()
}
