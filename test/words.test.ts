// Holds the rules for English of CONTRIBUTING.md, as far as a search can: old names and quirky phrases stay gone.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'

const root = new URL('../', import.meta.url).pathname

function listFiles(folder: string, endings: readonly string[]): string[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => endings.some((ending) => name.endsWith(ending)) && !name.includes('node_modules'))
    .map((name) => join(folder, name))
}

const sources = listFiles('src', ['.ts'])
const tests = [...sources, ...listFiles('test', ['.ts'])].filter((name) => name.endsWith('.test.ts'))
const pages = readdirSync(root).filter((name) => name.endsWith('.md') && name !== 'CHANGELOG.md')
const documents = [...pages, ...listFiles('docs', ['.md', '.json']), ...listFiles('samples', ['.yaml', '.mjs'])]

/** Where the rules quote what they forbid. */
const QUOTING = ['CONTRIBUTING.md']

function findLines(files: readonly string[], pattern: RegExp): string[] {
  return files
    .filter((file) => !QUOTING.includes(file))
    .flatMap((file) =>
      readFileSync(join(root, file), 'utf8')
        .split('\n')
        .flatMap((line, index) => (pattern.test(line) ? [`${file}:${index + 1}: ${line.trim()}`] : [])),
    )
}

/** Names that were replaced by the terms of the field. Each is what a declaration or import would look like. */
const OLD_NAMES = [
  /\b(?:load|check|create)Material\b|\bMaterialSource\b/,
  /\bparseDraft\b|\bDraft</,
  /\bFlaw\b|\bfind\w+Flaws?\b/,
  /\b\w*Surroundings\b/,
  /\blookAt[A-Z]\w*|\b\w+Sight\b/,
  /\b(?:escapeObeyed|quoteForeign)\b/,
  /\bdoInTurn\b|\bInTurnOptions\b/,
  /\bVisit(?:Handler)?\b/,
  /\b(?:Scene|StayOptions|stayWithMistakes|EncryptionMark)\b/,
  /\bTrouble\b|\bTROUBLES\b|\b(?:send|find)Trouble\w*/,
  /\b(?:create)?(?:Mount|Liveness|Vault)\b|\bcreateSeal\b|\bkeepUsersApart\b/,
  /\bdoor\b/i,
  /[a-z](?:Somebody|Nobody|Whoever)/,
  /\b(?:isC|c)ondemn(?:ed)?\b/,
  /\b(?:MOST|LONGEST|LEAST)_[A-Z]/,
]

/** Phrases that CONTRIBUTING.md replaces. */
const PHRASES = [
  /\bOn to \$/,
  /so much as/i,
  /at this very moment/i,
  /belongs? into/i,
  /sent nowhere/i,
  /\bOn to [A-Z]/,
  /in the log alone/i,
]

/** The actor has a name: client, user, caller, operator, attacker. */
const NO_ACTOR = /\b(?:whoever|somebody|nobody)\b/i

/** Titles of tests do, too. What a test sends may name anything. */
const TITLE_WITHOUT_ACTOR = /^\s*(?:it|describe|\]\)|it\.each\(.*\))\((['"`])(?:(?!\1).)*\b(?:whoever|somebody|nobody)\b/i

/** A line that must hold such a word: an answer to `init`. */
const EXCEPTIONS = [/^src\/cli\/init\/answers\.ts:.*\/\^\(\?:none\|no\|nobody/]

describe('the words of the project', () => {
  it.each(OLD_NAMES)('%s is not in the code', (pattern) => {
    expect(findLines(sources, pattern)).toEqual([])
  })

  it.each(PHRASES)('%s is nowhere', (pattern) => {
    expect(findLines([...sources, ...documents], pattern)).toEqual([])
  })

  it('name the actor', () => {
    const production = sources.filter((file) => !file.endsWith('.test.ts'))
    const found = findLines([...production, ...documents], NO_ACTOR)
    expect(found.filter((line) => !EXCEPTIONS.some((exception) => exception.test(line)))).toEqual([])
  })

  it('name the actor in titles of tests', () => {
    expect(findLines(tests, TITLE_WITHOUT_ACTOR)).toEqual([])
  })

  it('finds what it looks for', () => {
    expect("  ])('reaches nobody: %s', async () => {").toMatch(TITLE_WITHOUT_ACTOR)
    expect("  it.each(all)('is whoever’s it is', async () => {").toMatch(TITLE_WITHOUT_ACTOR)
    expect(findLines(['test/words.test.ts'], /at this very moment/).length).toBeGreaterThan(0)
    expect(findLines(['CONTRIBUTING.md'], /so much as/)).toEqual([])
  })
})
