import { expect, it } from 'vitest'
import { findReadableIds } from './readable-ids.ts'

const read = (text: string) => findReadableIds(text, 3)
const single = (...ids: string[]) => ({ ids, isBatch: false })

it.each<[string, string, string[]]>([
  ['a number', '{"id":7,"method":1}', ['7']],
  ['a number with a fraction of zeros', '{"id":7.0,"method":1}', ['7.0']],
  ['a string with escapes, as it stands', ' {"method":1, "id" : "a\\u0062" } ', ['"a\\u0062"']],
  ['behind a value of any depth', `{"params":${'['.repeat(100_000)}${']'.repeat(100_000)},"id":7}`, ['7']],
  ['beside a repeated key', '{"id":7,"method":"a","method":"b"}', ['7']],
  ['under an escaped name', '{"\\u0069d":7}', ['7']],
  ['twice', '{"id":7,"id":7}', []],
  ['twice, once escaped', '{"id":7,"\\u0069d":8}', []],
  ['beside one in other letters', '{"id":7,"ID":8}', []],
  ['beside one that ends at a NUL', '{"id":7,"id\\u0000":8}', []],
  ['in other letters alone', '{"Id":7}', []],
  ['deeper', '{"params":{"id":7}}', []],
  ['null', '{"id":null}', []],
  ['an object', '{"id":{}}', []],
  ['a fraction', '{"id":1.5}', []],
  ['beyond what decoders agree on', '{"id":9007199254740993}', []],
  ['half a character', '{"id":"\\ud800"}', []],
  ['too long', `{"id":"${'x'.repeat(1024)}"}`, []],
  ['a response', '{"id":7,"result":{}}', []],
  ['an error', '{"id":7,"error":{}}', []],
  ['a call and a result', '{"id":7,"method":"a","result":{}}', ['7']],
  ['no object', '7', []],
  ['no end', '{"id":7', []],
  ['nothing', '', []],
])('an id: %s', (_what, text, ids) => {
  expect(read(text)).toEqual(single(...ids))
})

it('each id of a batch is found once, and those of a batch that is too long are not looked for', () => {
  expect(read('[{"id":1},{"id":"a"},{"id":1}]')).toEqual({ ids: ['1', '"a"'], isBatch: true })
  expect(read('[{"id":1},2,{"id":3,"result":0}]')).toEqual({ ids: ['1'], isBatch: true })
  expect(read('[{"id":1},{"id":2},{"id":3},{"id":4}]')).toEqual(single())
  expect(read('[[{"id":1}]]')).toEqual(single())
  expect(read('[]')).toEqual(single())
})
