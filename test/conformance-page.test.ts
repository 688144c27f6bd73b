import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'

const root = new URL('../', import.meta.url).pathname
const page = readFileSync(join(root, 'docs/conformance.md'), 'utf8')
const states = /^(?:holds|suite|not testable here|(?:partly|does not hold): \S.*)$/
const references = /`(?<file>[^`]+\.test\.ts)`: `(?<phrase>[^`]+)`/g

interface Row {
  readonly id: string
  readonly cells: readonly string[]
}

/** The rows of the tables but their heads, and but the table that explains the states. */
function readRows(text: string): Row[] {
  return [...text.matchAll(/^\| (?!id \||state \||`)(?<id>.*?) \|(?<rest>.*)$/gm)].map(({ groups }) => ({
    id: groups?.id ?? '',
    cells: (groups?.rest ?? '')
      .split('|')
      .slice(0, -1)
      .map((cell) => cell.trim()),
  }))
}

function findReferenceProblem(file: string, phrase: string): string | undefined {
  if (!existsSync(join(root, file))) return `no file ${file}`
  return readFileSync(join(root, file), 'utf8').includes(phrase) ? undefined : `no “${phrase}” in ${file}`
}

function findRowProblems({ id, cells }: Row): string[] {
  const [source = '', requirement = '', state = '', heldBy = ''] = cells
  if (cells.length !== 4 || source === '' || requirement === '') return ['not five columns']
  const named = [...heldBy.matchAll(references)].map(({ groups }) =>
    findReferenceProblem(groups?.file ?? '', groups?.phrase ?? ''),
  )
  return [
    ...(/^[A-Z]{2}\d+$/.test(id) ? [] : ['no id']),
    ...(states.test(state) ? [] : [`no state: ${state}`]),
    ...(state === 'holds' && named.length === 0 ? ['no test'] : []),
    ...(heldBy.replaceAll(references, '').replaceAll('; ', '') === '' ? [] : ['more than tests']),
    ...named.filter((problem) => problem !== undefined),
  ]
}

function findProblems(text: string): string[] {
  const rows = readRows(text)
  const twice = rows.filter(({ id }, index) => rows.findIndex((row) => row.id === id) < index)
  return [
    ...twice.map(({ id }) => `${id}: twice`),
    ...rows.flatMap((row) => findRowProblems(row).map((problem) => `${row.id}: ${problem}`)),
  ]
}

it('each row of docs/conformance.md has an id of its own and a state, and names tests that are there', () => {
  expect(readRows(page).length).toBeGreaterThan(180)
  expect(findProblems(page)).toEqual([])
})

const held = '`test/conformance-page.test.ts`: `names tests that are there`'
it.each([
  ['an id twice', `| AB1 | x | y | suite |  |\n| AB1 | x | y | suite |  |`, 'AB1: twice'],
  ['no id', '| AB | x | y | suite |  |', 'AB: no id'],
  ['no state', `| AB1 | x | y |  | ${held} |`, 'AB1: no state: '],
  ['a state without what is missing', `| AB1 | x | y | partly | ${held} |`, 'AB1: no state: partly'],
  ['no test', '| AB1 | x | y | holds |  |', 'AB1: no test'],
  ['no such file', '| AB1 | x | y | holds | `test/none.test.ts`: `x` |', 'AB1: no file test/none.test.ts'],
  [
    'no such title',
    `| AB1 | x | y | holds | \`test/drain.test.ts\`: \`never said\` |`,
    'AB1: no “never said” in test/drain.test.ts',
  ],
  ['words of its own', `| AB1 | x | y | holds | ${held}, surely |`, 'AB1: more than tests'],
  ['a column too few', '| AB1 | x | holds |  |', 'AB1: not five columns'],
])('a row with %s is noticed', (_what, rows, problem) => {
  expect(findProblems(`| AB0 | x | y | holds | ${held} |\n${rows}`)).toEqual([problem])
})
