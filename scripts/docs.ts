// Writes the generated pages: docs/configuration.md, docs/errors.md and docs/config.schema.json.
// With --check it writes nothing, and fails when what is committed differs.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createJsonSchema } from '../src/config/schema/json-schema.ts'
import { formatConfigurationPage } from './docs/configuration-page.ts'
import { formatErrorsPage } from './docs/errors-page.ts'

const pages: Readonly<Record<string, string>> = {
  'configuration.md': formatConfigurationPage(),
  'errors.md': formatErrorsPage(),
  'config.schema.json': `${JSON.stringify(createJsonSchema(), null, 2)}\n`,
}
const folder = new URL('../docs/', import.meta.url)

function readPage(name: string): string | undefined {
  try {
    return readFileSync(new URL(name, folder), 'utf8')
  } catch {
    return undefined
  }
}

const different = Object.entries(pages).filter(([name, text]) => readPage(name) !== text)
if (!process.argv.includes('--check')) {
  mkdirSync(folder, { recursive: true })
  for (const [name, text] of different) writeFileSync(new URL(name, folder), text)
  for (const [name] of different) console.log(`docs/${name} written`)
} else if (different.length > 0) {
  for (const [name] of different) console.error(`docs/${name} is not what \`npm run docs\` makes`)
  process.exitCode = 1
}
