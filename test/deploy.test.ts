import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { errorCatalogue } from '../src/core/errors.ts'

const read = (path: string): string => readFileSync(new URL(`../${path}`, import.meta.url), 'utf8')

interface Alert {
  readonly alert: string
  readonly expr: string
  readonly labels: { readonly severity: string }
  readonly annotations: Readonly<Record<string, string>>
}

const { groups } = parse(read('deploy/prometheus/alerts.yaml')) as { groups: readonly { rules: readonly Alert[] }[] }
const alerts = groups.flatMap(({ rules }) => rules)
const page = read('docs/operations.md')

interface AlertCase {
  readonly alertname: string
  readonly exp_alerts: readonly unknown[]
}

describe('the alerts of deploy/', () => {
  it('have a section each in the runbook, to which they lead, and no section is left over', () => {
    const [, runbook = ''] = page.split('\n## A runbook for the night\n')
    const sections = [...runbook.matchAll(/^### (\w+)\n\n(.+)/gm)].map(([, name]) => name)
    expect(sections.sort()).toEqual(alerts.map(({ alert }) => alert).sort())
    for (const { alert, annotations } of alerts) expect(annotations.runbook).toBe(`docs/operations.md#${alert.toLowerCase()}`)
  })

  it('say whom to wake, and what it is about', () => {
    for (const { labels, annotations } of alerts) {
      expect(['page', 'ticket']).toContain(labels.severity)
      expect(Object.keys(annotations)).toEqual(['summary', 'description', 'runbook'])
    }
  })

  it('are each tested silent and firing', () => {
    const { tests } = parse(read('deploy/prometheus/alerts.test.yaml')) as {
      tests: readonly { alert_rule_test: readonly AlertCase[] }[]
    }
    const cases = tests.flatMap((test) => test.alert_rule_test)
    for (const { alert } of alerts) {
      const own = cases.filter(({ alertname }) => alertname === alert).map(({ exp_alerts: expected }) => expected.length)
      expect([alert, own.includes(0), own.includes(1)]).toEqual([alert, true, true])
    }
  })
})

describe('the queries of deploy/', () => {
  it('name only metrics that docs/operations.md explains', () => {
    const explained = [...page.matchAll(/^\| `(mcp_auth_proxy_\w+)` \| (\w+) /gm)].flatMap(([, name = '', type]) =>
      type === 'histogram' ? ['_bucket', '_sum', '_count'].map((suffix) => name + suffix) : [name],
    )
    const dashboard = read('deploy/grafana/dashboard.json')
    const named = `${alerts.map(({ expr }) => expr).join('\n')}${dashboard}`.match(/mcp_auth_proxy_\w+/g) ?? []
    expect(named.length).toBeGreaterThan(50)
    expect([...new Set(named)].filter((name) => !explained.includes(name))).toEqual([])
  })
})

describe('the codes that alerts and dashboard look for', () => {
  const failing = /code=~"([^"]+)"/g

  it('as failures are all for which the caller is not to blame', () => {
    // These end with the process or a reload, are another party's than the operator's, or answer an operator.
    const blameless = ['shutting_down', 'upstream_replaced', 'client_unavailable', 'deny_list_full']
    const failures = Object.entries(errorCatalogue)
      .filter(([code, { status }]) => status >= 500 && !blameless.includes(code))
      .map(([code]) => code)
    const ratio = alerts.find(({ alert }) => alert === 'McpAuthProxyErrorRatioHigh')?.expr ?? ''
    const dashboard = read('deploy/grafana/dashboard.json').replaceAll('\\"', '"')
    const lists = [...`${ratio}${dashboard}`.matchAll(failing)].map(([, list = '']) => list.split('|').sort())
    expect(lists.length).toBeGreaterThan(3)
    for (const list of lists) expect(list).toEqual([...failures].sort())
  })

  it('are all in the catalogue', () => {
    const named = alerts.flatMap(({ expr }) =>
      [...expr.matchAll(/code=~?"([^"]+)"/g)].flatMap(([, codes = '']) => codes.split('|')),
    )
    expect(named.length).toBeGreaterThan(10)
    expect(named.filter((code) => !Object.hasOwn(errorCatalogue, code))).toEqual([])
  })
})
