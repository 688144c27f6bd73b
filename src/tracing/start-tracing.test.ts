import { expect, it } from 'vitest'
import { createIssueReport } from './issue-report.ts'
import { findAskingVariable } from './start-tracing.ts'

it.each([
  [{ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://c:4318' }, 'OTEL_EXPORTER_OTLP_ENDPOINT'],
  [{ OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'http://c/v1/traces' }, 'OTEL_EXPORTER_OTLP_TRACES_ENDPOINT'],
  [{ OTEL_TRACES_EXPORTER: 'otlp' }, 'OTEL_TRACES_EXPORTER'],
  [{ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://c', OTEL_SDK_DISABLED: 'false' }, 'OTEL_EXPORTER_OTLP_ENDPOINT'],
  [{}, undefined],
  [{ OTEL_SERVICE_NAME: 'x', OTEL_RESOURCE_ATTRIBUTES: 'a=b', OTEL_EXPORTER_OTLP_HEADERS: 'a=b' }, undefined],
  [{ OTEL_EXPORTER_OTLP_ENDPOINT: ' ' }, undefined],
  [{ OTEL_EXPORTER_OTLP_METRICS_ENDPOINT: 'http://c' }, undefined],
  [{ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://c', OTEL_TRACES_EXPORTER: 'none' }, undefined],
  [{ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://c', OTEL_SDK_DISABLED: 'TRUE' }, undefined],
])('traces are asked for by %j: %s', (environment, variable) => {
  expect(findAskingVariable(environment)).toBe(variable)
})

it('trouble of the exporter is one line a minute, without the credentials of its URL', () => {
  const lines: string[] = []
  let now = 0
  const report = createIssueReport(
    (_level, line) => lines.push(line),
    () => now,
  )
  for (let i = 0; i < 5; i += 1) report('cannot reach http://user:a-password@collector:4318')
  now = 60_000
  report('x'.repeat(1000))
  expect(lines).toEqual([
    'OpenTelemetry: cannot reach http://collector:4318',
    `OpenTelemetry: ${'x'.repeat(300)} (and 4 more in the last minute)`,
  ])
})
