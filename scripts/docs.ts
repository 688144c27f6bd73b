// Writes the generated pages: docs/configuration.md, docs/errors.md and docs/config.schema.json, and the part of the chart's schema that is
// about the configuration file.
// With --check it writes nothing, and fails when what is committed differs.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createJsonSchema } from '../src/config/schema/json-schema.ts'
import { describeChartValues } from './docs/chart-values.ts'
import { formatConfigurationPage } from './docs/configuration-page.ts'
import { formatErrorsPage } from './docs/errors-page.ts'

const root = new URL('../', import.meta.url)
const CHART_SCHEMA = 'deploy/helm/open-mcp-auth-proxy/values.schema.json'
const pages: Readonly<Record<string, string>> = {
  'docs/configuration.md': formatConfigurationPage(),
  'docs/errors.md': formatErrorsPage(),
  'docs/config.schema.json': `${JSON.stringify(createJsonSchema(), null, 2)}\n`,
  [CHART_SCHEMA]: `${JSON.stringify(describeChartValues(JSON.parse(readPage(CHART_SCHEMA) ?? '{}')), null, 2)}\n`,
}

function readPage(path: string): string | undefined {
  try {
    return readFileSync(new URL(path, root), 'utf8')
  } catch {
    return undefined
  }
}

const different = Object.entries(pages).filter(([path, text]) => readPage(path) !== text)
if (!process.argv.includes('--check')) {
  mkdirSync(new URL('docs/', root), { recursive: true })
  for (const [path, text] of different) writeFileSync(new URL(path, root), text)
  for (const [path] of different) console.log(`${path} written`)
} else if (different.length > 0) {
  for (const [path] of different) console.error(`${path} is not what \`npm run docs\` makes`)
  process.exitCode = 1
}
