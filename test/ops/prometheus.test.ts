import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type MeasuredStage, startMeasuredStage } from './support/measured-stage.ts'
import { hasProgram } from './support/programs.ts'
import { DEPLOY, type Prometheus, runPromtool, startPrometheus } from './support/prometheus.ts'
import { findSelectors, listAlerts, listAnnotationQueries, listPanelQueries, listVariableSelectors } from './support/queries.ts'

const ALERTS = join(DEPLOY, 'prometheus/alerts.yaml')

describe.runIf(hasProgram('prometheus', '--version') && hasProgram('promtool', '--version'))('a real Prometheus', () => {
  let stage: MeasuredStage
  let prometheus: Prometheus

  beforeAll(async () => {
    stage = await startMeasuredStage()
    await stage.makeTraffic()
    prometheus = await startPrometheus(stage.admin)
    await prometheus.awaitScrapes()
    await stage.makeTraffic()
    await prometheus.awaitScrapes()
  })
  afterAll(async () => {
    await prometheus?.close()
    await stage?.close()
  })

  const read = async (accept: string): Promise<string> =>
    (await fetch(`http://${stage.admin}/metrics`, { headers: { accept } })).text()

  it('finds no fault with /metrics (promtool check metrics)', async () => {
    expect(runPromtool(['check', 'metrics'], await read('text/plain'))).toEqual({ isContent: true, said: '' })
    expect(runPromtool(['check', 'metrics'], 'no metrics\n').isContent).toBe(false)
  })

  it('has scraped each metric that docs/operations.md explains, and no other', async () => {
    const page = readFileSync(new URL('../../docs/operations.md', import.meta.url), 'utf8')
    const explained = [...page.matchAll(/^\| `(mcp_auth_proxy_\w+)` \|/gm)].map(([, name]) => name)
    const names = await prometheus.query('group by (__name__) ({__name__=~"mcp_auth_proxy_.+"})')
    const families = names.map(({ labels }) => labels.__name__?.replace(/_(?:bucket|sum|count)$/, ''))
    expect([...new Set(families)].sort()).toEqual(explained.sort())
  })

  it('loads the alerts and finds no fault with them (promtool check rules, test rules, check config)', async () => {
    expect(runPromtool(['check', 'rules', ALERTS])).toMatchObject({ isContent: true })
    expect(runPromtool(['test', 'rules', join(DEPLOY, 'prometheus/alerts.test.yaml')])).toMatchObject({ isContent: true })
    expect(runPromtool(['check', 'config', join(DEPLOY, 'prometheus/prometheus.yaml')])).toMatchObject({ isContent: true })
    const rules = await prometheus.listRules()
    expect(rules.filter(({ health }) => health !== 'ok')).toEqual([])
    expect(rules.map(({ name }) => name).sort()).toEqual(
      listAlerts()
        .map(({ of }) => of)
        .sort(),
    )
  })

  it('has series for all that the alerts look at', async () => {
    const without: string[] = []
    for (const { of, expression } of listAlerts().flatMap(findSelectors))
      if ((await prometheus.query(expression)).length === 0) without.push(`${of}: ${expression}`)
    // What this test cannot bring about: a bug, an audit log that cannot be written, a store that fails. Their names are known to be right.
    const rare = [
      'code="internal_error"}',
      'code="audit_unavailable"}',
      'store_seconds_count{job="mcp-auth-proxy", outcome="failure"}',
    ]
    expect(without.filter((line) => !rare.some((selector) => line.endsWith(selector)))).toEqual([])
  })

  it('answers each query of the dashboard with a number', async () => {
    const without: string[] = []
    for (const { of, expression } of [...listPanelQueries(), ...listVariableSelectors()]) {
      const numbers = (await prometheus.query(expression)).filter(({ value }) => Number.isFinite(value))
      if (numbers.length === 0) without.push(`${of}: ${expression}`)
    }
    expect(without.filter((line) => !line.startsWith('Store failures'))).toEqual([])
    for (const { expression } of listAnnotationQueries()) await prometheus.query(expression)
  })

  it('takes exemplars with the ids of requests that stand in the log', async () => {
    const exemplars = await prometheus.findExemplars('mcp_auth_proxy_request_seconds_bucket')
    expect(exemplars.length).toBeGreaterThan(0)
    for (const { labels } of exemplars) expect(stage.log()).toContain(`"request_id":"${labels.request_id}"`)
  })
})
