import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { checkAttempt, type Outcome, type Stage, startStage } from '../support/stage.ts'
import { findVectors } from '../support/vectors.ts'

/** JSONTestSuite (Nicolas Seriot): `y_` is JSON, `n_` is not, `i_` is what decoders disagree on. */
const parsing = findVectors('json-test-suite/test_parsing')
const transform = findVectors('json-test-suite/test_transform')
const list = (folder: string | undefined) => (folder === undefined ? [] : readdirSync(folder).sort())
const load = (name: string) => readFileSync(join((name.match(/^[yni]_/) ? parsing : transform) ?? '', name))
const named = (prefix: string) => list(parsing).filter((name) => name.startsWith(prefix))

let stage: Stage
beforeAll(async () => {
  stage = await startStage()
})
afterAll(() => stage.close())

const syntax: Outcome = { status: 400, code: 'json_invalid', rpc: -32700, id: undefined }
const ambiguous: Outcome = { status: 400, code: 'json_ambiguous', rpc: -32600 }
/** JSON, but no message. */
const noMessage: Outcome = { status: 400, code: 'message_invalid', rpc: -32600 }
const arrives: Outcome = { status: 200 }

/** Sends the vector as the argument of a tool, and then as the whole body, which is never a message. */
async function check(name: string, outcome: Outcome): Promise<void> {
  const vector = load(name)
  const [before, after] = ['{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":{"x":', '}}}']
  await checkAttempt(stage, { body: Buffer.concat([Buffer.from(before), vector, Buffer.from(after)]) }, outcome)
  await checkAttempt(stage, { body: vector }, outcome === arrives ? noMessage : outcome)
}

describe.skipIf(parsing === undefined)('public vectors of JSON', () => {
  it('are all there', () => {
    expect(['y_', 'n_', 'i_'].map((prefix) => named(prefix).length)).toEqual([95, 188, 35])
    expect(list(transform)).toHaveLength(22)
  })

  /** Decoders keep the first or the last of equal keys. */
  const repeated = ['y_object_duplicated_key.json', 'y_object_duplicated_key_and_value.json']
  it.each(named('y_').filter((name) => !repeated.includes(name)))('%s is JSON, and arrives byte for byte', async (name) => {
    await check(name, arrives)
  })
  it.each(repeated)('%s is JSON that decoders read differently', async (name) => {
    await check(name, ambiguous)
  })

  /** Refused for half a surrogate pair, or for endless nesting, before the mistake is reached. */
  const earlier = [
    'n_string_1_surrogate_then_escape.json',
    'n_string_incomplete_surrogate_escape_invalid.json',
    'n_structure_100000_opening_arrays.json',
    'n_structure_open_array_object.json',
  ]
  it.each(named('n_').filter((name) => !earlier.includes(name)))('%s is no JSON', async (name) => {
    await check(name, syntax)
  })
  it.each(earlier)('%s is ambiguous before it is no JSON', async (name) => {
    await check(name, ambiguous)
  })

  /** What decoders may do as they like, and what we always do. */
  const numbers = named('i_number_')
  const surrogates = [
    'i_object_key_lone_2nd_surrogate.json',
    'i_string_1st_surrogate_but_2nd_missing.json',
    'i_string_1st_valid_surrogate_2nd_invalid.json',
    'i_string_incomplete_surrogate_and_escape_valid.json',
    'i_string_incomplete_surrogate_pair.json',
    'i_string_incomplete_surrogates_escape_valid.json',
    'i_string_invalid_lonely_surrogate.json',
    'i_string_invalid_surrogate.json',
    'i_string_inverted_surrogates_U+1D11E.json',
    'i_string_lone_second_surrogate.json',
  ]
  const deep = ['i_structure_500_nested_arrays.json']
  const noUtf8 = named('i_').filter((name) => ![...numbers, ...surrogates, ...deep].includes(name))
  it.each(numbers)('%s: a number that decoders round differently arrives as it was written', async (name) => {
    await check(name, arrives)
  })
  it.each([...surrogates, ...deep])('%s: half a surrogate pair and deep nesting are ambiguous', async (name) => {
    await check(name, ambiguous)
  })
  it.each(noUtf8)('%s: what is no UTF-8, or begins with a byte order mark, is no JSON', async (name) => {
    await check(name, syntax)
  })

  const invalidCodepoints = /^string_\d_(escaped_)?invalid_codepoint/
  it.each(list(transform))('%s is passed on as it is, or not at all', async (name) => {
    if (name.startsWith('object_same_key')) return check(name, ambiguous)
    if (invalidCodepoints.test(name)) return check(name, name.includes('escaped') ? ambiguous : syntax)
    await check(name, arrives)
  })
})
