import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { readFolderTable, readRoomTable } from './architecture/design-tables.ts'
import { findImports, readSources, type SourceFile } from './architecture/imports.ts'
import {
  type Architecture,
  type AreaRule,
  findCycles,
  findForbiddenImports,
  findHomelessPackages,
  findLostImports,
} from './architecture/rules.ts'
import { findStoredFunctions } from './architecture/stored-functions.ts'

/** The tables of DESIGN.md, "Folders". */
const architecture: Architecture = {
  core: { mayImport: [], homeOf: [] },
  ...inside('config', {
    outside: ['core', 'egress', 'identity', 'policy/expression'],
    homeOf: ['zod', 'yaml'],
    areas: {
      problem: [],
      format: ['problem'],
      schema: ['problem', 'format'],
      source: ['schema', 'format', 'problem'],
      derive: ['schema', 'format', 'problem'],
      check: ['source', 'derive', 'schema', 'format', 'problem'],
      plan: ['source', 'derive', 'schema', 'format', 'problem'],
      'go-proxy': ['check', 'schema', 'source', 'format', 'problem'],
    },
  }),
  http: { mayImport: ['core'], homeOf: [] },
  mcp: { mayImport: ['core'], homeOf: [] },
  egress: { mayImport: ['core'], homeOf: ['undici'] },
  oauth: { mayImport: ['core', 'egress'], homeOf: ['jose', 'undici'] },
  ...inside('policy', {
    outside: ['core'],
    homeOf: ['@marcbachmann/cel-js'],
    areas: { 'work.ts': [], target: ['work.ts'], expression: ['target', 'work.ts'] },
  }),
  ...inside('broker', {
    outside: ['core', 'identity', 'oauth'],
    homeOf: ['oidc-provider', 'oauth4webapi'],
    areas: {
      storage: [],
      limits: [],
      'identity-provider': ['storage'],
      clients: ['storage', 'limits'],
      asgardeo: ['identity-provider', 'storage', 'limits'],
      accounts: ['identity-provider', 'storage'],
      pages: ['clients', 'identity-provider'],
      'upstream-accounts': ['storage'],
      tokens: ['accounts', 'identity-provider', 'storage', 'upstream-accounts'],
      grants: ['tokens', 'clients', 'accounts', 'identity-provider', 'storage'],
      operators: ['tokens', 'clients', 'accounts', 'identity-provider', 'storage'],
      'sign-in': ['pages', 'clients', 'accounts', 'identity-provider', 'storage', 'limits', 'upstream-accounts'],
      connections: ['sign-in', 'pages', 'accounts', 'identity-provider', 'storage', 'limits', 'upstream-accounts'],
      protocol: [
        'sign-in',
        'grants',
        'tokens',
        'pages',
        'clients',
        'accounts',
        'identity-provider',
        'storage',
        'limits',
        'upstream-accounts',
      ],
    },
  }),
  rewrite: { mayImport: ['core', 'oauth'], homeOf: [] },
  sandbox: { mayImport: ['broker/clients', 'broker/pages', 'broker/protocol', 'core'], homeOf: ['oidc-provider', 'jose'] },
  identity: { mayImport: ['core', 'oauth'], homeOf: [] },
  assertion: { mayImport: ['core', 'oauth'], homeOf: [] },
  delegation: { mayImport: ['core', 'oauth'], homeOf: [] },
  revocation: { mayImport: ['core', 'oauth'], homeOf: [] },
  'access-keys': { mayImport: ['core'], homeOf: [] },
  store: { mayImport: ['core'], homeOf: ['redis'] },
  upstream: { mayImport: ['core', 'egress', 'http', 'mcp'], homeOf: ['undici'] },
  ...inside('upstream/stdio', {
    outside: ['core', 'http', 'mcp'],
    homeOf: [],
    areas: {
      wire: [],
      process: ['wire'],
      stream: ['wire'],
      channel: ['process', 'stream', 'wire'],
      legacy: ['channel', 'process', 'stream', 'wire'],
      modern: ['channel', 'process', 'stream', 'wire'],
      translation: ['legacy', 'modern', 'channel', 'process', 'wire'],
    },
  }),
  admin: { mayImport: ['core', 'http'], homeOf: [] },
  'rate-limits': { mayImport: ['core'], homeOf: [] },
  audit: { mayImport: ['core'], homeOf: [] },
  metrics: { mayImport: ['core', 'mcp'], homeOf: [] },
  telemetry: { mayImport: ['core'], homeOf: ['pino', 'pino-pretty'] },
  tracing: { mayImport: ['core', 'mcp'], homeOf: ['@opentelemetry/api', '@opentelemetry/sdk-node'] },
  pipeline: { mayImport: ['core', 'http', 'mcp', 'oauth'], homeOf: [] },
  composition: {
    mayImport: [
      'core',
      'http',
      'mcp',
      'oauth',
      'policy',
      'broker',
      'rewrite',
      'assertion',
      'delegation',
      'revocation',
      'access-keys',
      'store',
      'upstream',
      'telemetry',
      'tracing',
      'metrics',
      'rate-limits',
      'admin',
      'audit',
      'pipeline',
      'config/problem',
    ],
    // For the type of a destination of log lines, which is part of the public API.
    homeOf: ['pino'],
  },
  'app.ts': { mayImport: ['composition', 'core', 'http'], homeOf: ['pino'] },
  'index.ts': { mayImport: ['app.ts', 'config', 'core'], homeOf: [] },
  api: { mayImport: ['config', 'core', 'mcp', 'oauth', 'policy'], homeOf: [] },
  // Of the broker, how accounts of users are found at MCP servers.
  doctor: { mayImport: ['broker', 'core', 'delegation', 'identity', 'mcp', 'oauth', 'policy', 'store', 'upstream'], homeOf: [] },
  explain: { mayImport: ['config', 'core', 'mcp', 'oauth', 'policy'], homeOf: [] },
  cli: { mayImport: ['app.ts', 'audit', 'config', 'core', 'doctor', 'explain', 'sandbox'], homeOf: [] },
}

function countLines(text: string): number {
  return text.trimEnd().split('\n').length
}

/** A folder whose own files may import all of its areas, and the areas, each of which may import those named and what the folder may. */
function inside(folder: string, { outside, homeOf, areas }: FolderPlan): Architecture {
  const rows = Object.entries(areas).map(([area, others]): [string, AreaRule] => {
    const mayImport = [...outside, ...others.map((other) => `${folder}/${other}`)]
    return [`${folder}/${area}`, { mayImport, homeOf }]
  })
  return { [folder]: { mayImport: [...outside, folder], homeOf }, ...Object.fromEntries(rows) }
}

interface FolderPlan {
  readonly outside: readonly string[]
  readonly homeOf: readonly string[]
  readonly areas: Readonly<Record<string, readonly string[]>>
}

const folder = new URL('../src/', import.meta.url).pathname
const sources = readSources(folder)

describe('the sources', () => {
  it('import between folders only what the table permits', () => {
    expect(findForbiddenImports(sources, architecture)).toEqual([])
  })

  it('may import what the tables of DESIGN.md say', () => {
    const design = readFileSync(new URL('../DESIGN.md', import.meta.url), 'utf8')
    const areas = Object.entries(architecture).map(([area, { mayImport, homeOf }]) => {
      return [area, { mayImport: mayImport.filter((other) => other !== area).sort(), homeOf: [...homeOf].sort() }] as const
    })
    expect(Object.fromEntries(readFolderTable(design))).toEqual(Object.fromEntries(areas.filter(([area]) => !area.includes('/'))))
    const rooms = areas
      .filter(([area]) => /^(?:config|broker|upstream)\//.test(area))
      .map(([room, { mayImport }]) => {
        const folder = room.slice(0, room.lastIndexOf('/') + 1)
        return [room, mayImport.filter((other) => other.startsWith(folder)).map((other) => other.slice(folder.length))] as const
      })
    const withRooms = rooms.filter(([room]) => room !== 'upstream/stdio')
    expect(Object.fromEntries(readRoomTable(design))).toEqual(Object.fromEntries(withRooms))
  })

  it('import packages only in their home', () => {
    expect(findHomelessPackages(sources, architecture)).toEqual([])
  })

  it('have no import cycles', () => {
    expect(findCycles(sources)).toEqual([])
  })

  it('import files that are there', () => {
    expect(findLostImports(sources)).toEqual([])
  })

  it('have at most 300 lines in each file', () => {
    const long = sources.map(({ path }) => ({ path, lines: countLines(readFileSync(folder + path, 'utf8')) }))
    expect(long.filter(({ lines }) => lines > 300)).toEqual([])
    expect(countLines('a\nb\n')).toBe(2)
  })

  it('have functions of at most 50 lines, which the linter checks', () => {
    const { linter } = JSON.parse(readFileSync(new URL('../biome.json', import.meta.url), 'utf8'))
    const { noExcessiveLinesPerFunction } = linter.rules.complexity
    expect(noExcessiveLinesPerFunction).toEqual({ level: 'error', options: { maxLines: 50 } })
  })

  it('use every package that is a dependency', () => {
    const { dependencies, peerDependencies } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'))
    const homes = new Set(Object.values(architecture).flatMap(({ homeOf }) => homeOf))
    expect(Object.keys({ ...dependencies, ...peerDependencies }).sort()).toEqual([...homes].sort())
  })

  it('assign no function to a property where it is written, which V8 would keep with all that it closes over', () => {
    const stored = sources.flatMap(({ path }) =>
      findStoredFunctions(readFileSync(folder + path, 'utf8')).map((line) => `${path}:${line}`),
    )
    expect(stored).toEqual([])
  })

  it('exit in one place', () => {
    const exits = sources.filter(({ path }) => /\bprocess\.(?:exit\b|exitCode|abort)/.test(readFileSync(folder + path, 'utf8')))
    expect(exits.map(({ path }) => path)).toEqual(['cli/main.ts'])
  })
})

describe('the scanner behind this', () => {
  const file = (path: string, ...names: string[]): SourceFile => ({
    path,
    imports: names.map((name) => ({ name, typeOnly: false })),
  })

  it('sees every way to import', () => {
    const text = `
      import a from 'a'
      import { b,
        c } from "b"
      import type { D } from './d.ts'
      import 'e'
      export { f } from '../f.ts'
      export * from 'g'
      const h = await import('h')
      type I = typeof import('i')
      const j = require('j')
      import { type k } from 'k' // from 'not-this'
      /* import l from 'not-that' */
      const url = 'http://x' // the slashes of a string end nothing
      import m from 'm'
    `
    const found = findImports(text)
    expect(found.map(({ name }) => name).sort()).toEqual(['../f.ts', './d.ts', 'a', 'b', 'e', 'g', 'h', 'i', 'j', 'k', 'm'])
    expect(found.filter(({ typeOnly }) => typeOnly).map(({ name }) => name)).toEqual(['./d.ts'])
  })

  it('finds imports of the wrong folder, of types too, and folders without a row', () => {
    expect(
      findForbiddenImports(
        [file('http/a.ts', '../oauth/b.ts', '../core/c.ts', './d.ts'), file('core/x.ts', '../config/y.ts'), file('new/z.ts')],
        architecture,
      ),
    ).toEqual(['http/a.ts imports oauth/b.ts', 'core/x.ts imports config/y.ts', 'new/z.ts: the table has no row for new'])
  })

  it('finds packages outside of their home', () => {
    expect(
      findHomelessPackages([file('http/a.ts', 'zod/v4', 'node:fs'), file('config/b.ts', 'zod', 'jose')], architecture),
    ).toEqual(['http/a.ts imports zod', 'config/b.ts imports jose'])
  })

  it('finds cycles of any length', () => {
    const files = [
      file('a.ts', './b.ts'),
      file('b.ts', './c.ts'),
      file('c.ts', './a.ts'),
      file('d.ts', './d.ts'),
      file('e.ts', './a.ts'),
    ]
    expect(findCycles(files)).toEqual(['a.ts → b.ts → c.ts → a.ts', 'd.ts → d.ts'])
    const byType = { path: 'b.ts', imports: [{ name: './a.ts', typeOnly: true }] }
    expect(findCycles([file('a.ts', './b.ts'), byType])).toEqual(['a.ts → b.ts → a.ts'])
  })

  it('finds imports of files that are not there', () => {
    expect(findLostImports([file('a/b.ts', '../c.ts', './d.ts'), file('c.ts')])).toEqual(['a/b.ts imports a/d.ts'])
  })

  it('finds functions that are written where they are assigned to a property', () => {
    const text = `
      a.b = () => c
      this.#d ??= async function () {}
      e[f] = (g) => g
      const h = () => a
      a.b = h
      const i = { j: () => a, k() {} }
      class L { m = () => a }
      n = () => a`
    expect(findStoredFunctions(text)).toEqual([2, 3, 4])
  })

  it('has read the sources', () => {
    expect(sources.length).toBeGreaterThan(50)
    expect(sources.flatMap(({ imports }) => imports).length).toBeGreaterThan(100)
  })
})
