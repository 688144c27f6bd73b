import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse } from 'yaml'
import { DEPLOY } from './prometheus.ts'

/** An expression, and where it stands. */
export interface Query {
  readonly of: string
  readonly expression: string
}

interface Panel {
  readonly title: string
  readonly targets?: readonly { readonly expr: string }[]
}

interface Dashboard {
  readonly panels: readonly Panel[]
  readonly annotations: { readonly list: readonly { readonly name: string; readonly expr: string }[] }
  readonly templating: { readonly list: readonly { readonly name: string; readonly definition?: string }[] }
}

function readDashboard(): Dashboard {
  return JSON.parse(readFileSync(join(DEPLOY, 'grafana/dashboard.json'), 'utf8'))
}

/** What the panels of the dashboard ask, with its variables as they are at first: the job, and all of the rest. Rates are over the whole test. */
export function listPanelQueries(): Query[] {
  const { panels } = readDashboard()
  return panels.flatMap(({ title, targets = [] }) => targets.map(({ expr }) => ({ of: title, expression: fillIn(expr) })))
}

/** What marks moments in all panels. */
export function listAnnotationQueries(): Query[] {
  return readDashboard().annotations.list.map(({ name, expr }) => ({ of: name, expression: fillIn(expr) }))
}

/** Selectors that the values of variables come from. */
export function listVariableSelectors(): Query[] {
  return readDashboard().templating.list.flatMap(({ name, definition }) => {
    const [, selector] = /^label_values\((.+), \w+\)$/.exec(definition ?? '') ?? []
    return selector === undefined ? [] : [{ of: name, expression: fillIn(selector) }]
  })
}

function fillIn(expression: string): string {
  return expression
    .replaceAll('$job', 'mcp-auth-proxy')
    .replaceAll('$instance', '.*')
    .replaceAll('$server', '.*')
    .replaceAll('$__rate_interval', '15m')
}

/** The expressions of the alerts, by name. */
export function listAlerts(): Query[] {
  const file = parse(readFileSync(join(DEPLOY, 'prometheus/alerts.yaml'), 'utf8')) as {
    groups: readonly { rules: readonly { alert: string; expr: string }[] }[]
  }
  return file.groups.flatMap(({ rules }) => rules.map(({ alert, expr }) => ({ of: alert, expression: expr })))
}

/** Metrics with their label matchers, as they stand in an expression. */
export function findSelectors({ of, expression }: Query): Query[] {
  const found = expression.match(/\b(?:up|mcp_auth_proxy_\w+)(?:\{[^}]*\})?/g) ?? []
  return [...new Set(found)].map((selector) => ({ of, expression: selector }))
}
