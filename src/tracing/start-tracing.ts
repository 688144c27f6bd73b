import type { Tracing } from '../core/tracing.ts'
import { createIssueReport, type Report } from './issue-report.ts'

type Environment = Readonly<Record<string, string | undefined>>

/** Variables of OpenTelemetry that ask for traces: a service name alone, which a platform may set for every container, does not. */
const ASKING = ['OTEL_EXPORTER_OTLP_TRACES_ENDPOINT', 'OTEL_EXPORTER_OTLP_ENDPOINT', 'OTEL_TRACES_EXPORTER'] as const
const PACKAGES = ['@opentelemetry/sdk-node', '@opentelemetry/api']

/**
 * Starts to trace requests where the environment asks for it, as the OpenTelemetry specification has it. Nothing of OpenTelemetry is
 * loaded otherwise. Traces that cannot be made are no reason not to serve.
 *
 * @param report - called with lines for the log
 */
export async function startTracing(environment: Environment, report: Report): Promise<Tracing | undefined> {
  const variable = findAskingVariable(environment)
  if (variable === undefined) return undefined
  try {
    const { startSdk } = await import('./sdk.ts')
    const tracing = startSdk(createIssueReport(report))
    report('info', `traces are sent by OpenTelemetry, since ${variable} is set`)
    return tracing
  } catch (error) {
    report('warn', `${variable} asks for traces, and there are none: ${describe(error)}`)
    return undefined
  }
}

/** An empty value is as good as none (OpenTelemetry, Environment Variable Specification). */
export function findAskingVariable(environment: Environment): string | undefined {
  const read = (name: string): string => (environment[name] ?? '').trim()
  if (read('OTEL_SDK_DISABLED').toLowerCase() === 'true') return undefined
  if (read('OTEL_TRACES_EXPORTER').split(',').map(trim).includes('none')) return undefined
  return ASKING.find((name) => read(name) !== '')
}

function trim(text: string): string {
  return text.trim()
}

function describe(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException
  const isMissing = code === 'ERR_MODULE_NOT_FOUND' && PACKAGES.some((name) => message.includes(`'${name}'`))
  return isMissing ? `OpenTelemetry is not installed. Install it beside the proxy: npm install ${PACKAGES.join(' ')}` : message
}
