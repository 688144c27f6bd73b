// Notifications about resources, and batches that hold some.
import { expect, it } from 'vitest'
import { filterText, hidesSecrets } from '../../../test/support/visibility.ts'
import { ProxyError } from '../../core/errors.ts'

const filter = (text: string) => filterText(text, hidesSecrets)
const codeOf = (text: string): string | undefined => {
  try {
    filter(text)
    return undefined
  } catch (error) {
    return error instanceof ProxyError ? error.code : String(error)
  }
}

const updated = (uri: string): string => `{"method":"notifications/resources/updated","params":{"uri":"${uri}"}}`
const answer = '{"id":1,"result":{"tools":[]}}'
/** With a word for which it is read. */
const acknowledged = (params: string): string =>
  `{"method":"notifications/subscriptions/acknowledged","params":{"_meta":{"tools":1}${params}}}`

it.each([
  [[updated('secret'), answer], [answer]],
  [[answer, updated('secret')], [answer]],
  [[updated('secret'), answer, updated('secret')], [answer]],
  [
    [answer, updated('secret'), updated('open')],
    [answer, updated('open')],
  ],
  [
    [answer, updated('open')],
    [answer, updated('open')],
  ],
])('of a batch goes what is hidden, and the rest stays: %j', (batch, kept) => {
  expect(JSON.parse(filter(`[${batch.join(', ')}]`) ?? 'null')).toEqual(kept.map((text) => JSON.parse(text)))
})

it.each([1, 2, 3])('a batch goes whole where all of it is hidden: %i', (count) => {
  expect(filter(`[${Array.from({ length: count }, () => updated('secret')).join()}]`)).toBeUndefined()
})

it('asks about resources, whether they are updated or acknowledged', () => {
  hidesSecrets.asked.length = 0
  filter(updated('a'))
  filter(acknowledged(',"notifications":{"resourceSubscriptions":["b"]}'))
  expect(hidesSecrets.asked).toEqual([
    ['resource', 'a'],
    ['resource', 'b'],
  ])
})

it.each(['', ',"notifications":{}', ',"notifications":{"toolsListChanged":true}'])(
  'an acknowledgment that names no resource passes as it is: %s',
  (params) => {
    expect(filter(acknowledged(params))).toBe(acknowledged(params))
  },
)

it.each([
  '[]',
  '1',
  '{"resourceSubscriptions":"secret"}',
  '{"resourceSubscriptions":{"0":"secret"}}',
  '{"resourceSubscriptions":[["secret"]]}',
])('an acknowledgment of another form is refused: %s', (notifications) => {
  expect(codeOf(acknowledged(`,"notifications":${notifications}`))).toBe('answer_unfilterable')
})

it.each(['', ',"params":{}', ',"params":[]', ',"params":{"uri":7}', ',"params":null'])(
  'an update that names no resource is dropped: %s',
  (params) => {
    expect(filter(`{"method":"notifications/resources/updated"${params}}`)).toBeUndefined()
  },
)

it.each([
  ' notifications/resources/updated',
  '\\t notifications/resources/updated',
  'notifications/resources/updated  ',
  'Notifications/Resources/Updated',
  'notifications/resources/updated\\u0000x',
  'notifications/subscriptions/Acknowledged',
])('a method that some readers take for one that tells of resources is refused: %s', (method) => {
  expect(codeOf(`{"method":"${method}","params":{"uri":"secret","resources":1}}`)).toBe('answer_unfilterable')
})

it.each(['xnotifications/resources/updated', 'notifications/resources/updatedx', 'notifications/resources/list_changed'])(
  'a method that is another one passes: %s',
  (method) => {
    const text = `{"method":"${method}","params":{"uri":"secret","resources":1}}`
    expect(filter(text)).toBe(text)
  },
)

it('what says how long it may be cached passes as it is where it is no list and no resource', () => {
  const result = (members: string): string => `{"id":1,"result":{${members}}}`
  for (const members of ['"cacheScope":"public"', '"contents":[],"cacheScope":"private"', '"contents":[],"x":"tools"'])
    expect(filter(result(members))).toBe(result(members))
  expect(filter(result('"contents":[],"cacheScope":"public"'))).toBe(result('"contents":[],"cacheScope":"private"'))
})

it('a list may have 10,000 items, and no more', () => {
  const list = (count: number): string => `{"id":1,"result":{"tools":[${Array(count).fill('{"name":"a"}').join()}]}}`
  expect(codeOf(list(10_000))).toBeUndefined()
  expect(codeOf(list(10_001))).toBe('answer_unfilterable')
})

it.each([
  '{"id":1,"result":{"tools":[{"name":"a","Name":"secret"}]}}',
  '{"id":1,"result":{"prompts":[{"NAME":"secret","name":"a"}]}}',
  '{"id":1,"result":{"resources":[{"uri":"a","URI":"secret"}]}}',
  '{"id":1,"result":{"resourceTemplates":[{"uriTemplate":"a","UriTemplate":"secret"}]}}',
  '{"method":"notifications/resources/updated","params":{"uri":"a"},"Params":{"uri":"secret"}}',
  '{"method":"notifications/resources/updated","params":{"uri":"a","Uri":"secret"}}',
  acknowledged(',"notifications":{},"Notifications":{"resourceSubscriptions":["secret"]}'),
])('what has two names of which readers take one is refused: %s', (text) => {
  expect(codeOf(text)).toBe('answer_unfilterable')
})
