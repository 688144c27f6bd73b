import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { filterText, hidesSecrets } from '../../../test/support/visibility.ts'
import { ProxyError } from '../../core/errors.ts'

const filter = (text: string, hasCacheScope = false) => filterText(text, { ...hidesSecrets, hasCacheScope })
const result = (members: string): string => `{"jsonrpc":"2.0","id":1,"result":{${members}}}`
const codeOf = (text: string): string | undefined => {
  try {
    filter(text)
    return undefined
  } catch (error) {
    return error instanceof ProxyError ? error.code : String(error)
  }
}

describe('a list', () => {
  it.each([
    ['tools', 'name', 'tool'],
    ['prompts', 'name', 'prompt'],
    ['resources', 'uri', 'resource'],
    ['resourceTemplates', 'uriTemplate', 'resource_template'],
  ])('of %s loses what is hidden, by its %s, and nothing else', (list, key, kind) => {
    hidesSecrets.asked.length = 0
    const text = result(
      `"_meta": {"a" : 1}, "${list}" : [ {"${key}":"secret1"} , {"x":[1, 2],"${key}":"b\\u0061"},\n{"${key}":"secret2"}] ,"nextCursor":"c"`,
    )
    expect(filter(text)).toBe(result(`"_meta": {"a" : 1}, "${list}" : [ {"x":[1, 2],"${key}":"b\\u0061"}] ,"nextCursor":"c"`))
    expect(hidesSecrets.asked).toEqual([
      [kind, 'secret1'],
      [kind, 'ba'],
      [kind, 'secret2'],
    ])
  })

  it('keeps the bytes of what stays, whichever items go', () => {
    const item = fc.record({ name: fc.constantFrom('a', 'secret', 'é\\"]', 'secret{'), more: fc.json() })
    fc.assert(
      fc.property(fc.array(item), fc.constantFrom('', ' ', '\n\t'), (items, space) => {
        const texts = items.map(({ name, more }) => `{"more":${more},${space}"name":${JSON.stringify(name)}}`)
        const list = (parts: string[]) => result(`"tools":[${space}${parts.join(',')}${space}],"nextCursor":null`)
        const shown = texts.filter((_, index) => !items[index]?.name.includes('secret'))
        const answer = filter(list(texts)) ?? ''
        expect(JSON.parse(answer)).toEqual(JSON.parse(list(shown)))
        for (const text of shown) expect(answer).toContain(text)
      }),
    )
  })

  it('that shows all, or is empty, passes as it is', () => {
    for (const list of ['', '{"name":"a"},{"name":"b"}']) {
      const text = result(`"tools":[${list}]`)
      expect(filter(text)).toBe(text)
    }
  })

  it('is found in every result of a batch', () => {
    const list = (name: string): string => result(`"tools":[{"name":"${name}"}]`)
    expect(filter(`[${list('secret')}, ${list('a')},${list('secret')}]`)).toBe(
      `[${result('"tools":[]')}, ${list('a')},${result('"tools":[]')}]`,
    )
  })

  it('is found behind escaped names', () => {
    expect(filter('{"id":1,"r\\u0065sult":{"t\\u006fols":[{"n\\u0061me":"\\u0073ecret"}]}}')).toBe(
      '{"id":1,"r\\u0065sult":{"t\\u006fols":[]}}',
    )
  })

  it('is shown by no spelling of its name: other cases, look-alikes and escapes', () => {
    const spellings = (letter: string): string[] => {
      const variants = [letter, letter.toUpperCase(), ...(letter === 's' ? ['\u017f'] : [])]
      return variants.flatMap((one) => [one, `\\u${one.charCodeAt(0).toString(16).padStart(4, '0')}`])
    }
    const name = fc
      .constantFrom('tools', 'prompts', 'resources', 'resourceTemplates')
      .chain((exact) => fc.tuple(...[...exact].map((letter) => fc.constantFrom(letter, letter, ...spellings(letter)))))
      .map((letters) => letters.join(''))
    const members = fc.constantFrom('', '"a":"\\\\\\n\\u003c",', '"x":[1,{}],\n')
    const wrap = fc.constantFrom(
      result,
      (inner: string) => `[ ${result(inner)}]`,
      (inner: string) => ` {"result":{${inner}}}\n`,
    )
    fc.assert(
      fc.property(name, members, wrap, (spelled, before, wrapped) => {
        const item = '{"name":"secret","uri":"secret","uriTemplate":"secret"}'
        const text = wrapped(`${before}"${spelled}":[${item}]`)
        if (codeOf(text) === undefined) expect(filter(text)).not.toContain('secret')
      }),
      { numRuns: 200 },
    )
  })

  it('is asked about with a new budget now and then, so that long lists are shown as their items are judged', () => {
    let filters = 0
    const createFilter = () => {
      let left = 500
      filters++
      return { shows: () => left-- > 0 }
    }
    const text = result(`"tools":[${Array.from({ length: 1200 }, () => '{"name":"a"}').join()}]`)
    expect(filterText(text, { createFilter, hasCacheScope: false })).toBe(text)
    expect(filters).toBe(3)
  })

  it.each([
    ['a repeated list', result('"tools":[],"tools":[{"name":"secret"}]')],
    ['a repeated list behind an escape', result('"tools":[],"t\\u006fols":[{"name":"secret"}]')],
    ['two results', '{"result":{"tools":[]},"result":{"tools":[{"name":"secret"}]}}'],
    ['a result that looks like one', '{"Result":{"tools":[]}}'],
    ['a list that looks like one', result('"Tools":[{"name":"secret"}]')],
    ['a list that looks like one to those who fold letters', result('"toolſ":[{"name":"secret"}]')],
    ['a list that ends early to those who write in C', result('"tools\\u0000":[{"name":"secret"}]')],
    ['a scope that looks like one', result('"tools":[],"cachescope":"public"')],
    ['a list that is an object', result('"tools":{"0":{"name":"secret"}}')],
    ['an item that is no object', result('"tools":["secret"]')],
    ['an item that is a list', result('"tools":[[{"name":"secret"}]]')],
    ['an item without a name', result('"tools":[{"title":"secret"}]')],
    ['a name that is no string', result('"tools":[{"name":1}]')],
    ['a name twice', result('"tools":[{"name":"a","name":"secret"}]')],
    ['a name that looks like one', result('"tools":[{"name":"a","Name":"secret"}]')],
    ['half a character', result('"tools":[{"name":"\\ud800"}]')],
    ['a broken escape', result('"tools":[{"name":"\\x"}]')],
    ['a resource with another key', result('"resources":[{"URI":"secret"}]')],
    ['a method beside a result', '{"method":"x","result":{"tools":[{"name":"secret"}]}}'],
    ['a method that is no string', '{"method":{"x":1},"params":{"tools":[]}}'],
    ['a batch in a batch', `[[${result('"tools":[]')}]]`],
    ['a batch of other things', `[1,${result('"tools":[]')}]`],
    ['a text', '"tools"'],
    ['nothing', ''],
    ['half a message', result('"tools":[{"name":"a"}').slice(0, -4)],
    ['a message behind the message', `${result('"tools":[]')}${result('"tools":[{"name":"secret"}]')}`],
    ['text in UTF-16', Buffer.from(result('"tools":[{"name":"secret"}]'), 'utf16le').toString('utf8')],
    ['comments', '{"result":/**/{"tools":[{"name":"secret"}]}}'],
    ['other quotes', "{'result':{'tools':[{'name':'secret'}]}}"],
    ['no quotes', '{result:{tools:[{name:"secret"}]}}'],
    ['a value that is none', '{"id":x,"result":{"tools":[]}}'],
    ['words', result('"tools":[{"name":secret}]')],
    ['a list of more items than a page has', result(`"tools":[${'{"name":"a"},'.repeat(10_000)}{"name":"a"}]`)],
    ['more values than a page has', result(`"tools":[${'{"name":"a"},'.repeat(100_000)}{"name":"a"}]`)],
    ['lists within lists', result('"tools":[{"name":"a","tools":['.repeat(50_000))],
  ])('is refused for %s', (_what, text) => {
    expect(codeOf(text)).toBe('answer_unfilterable')
  })

  it.each([
    ['the result of a call', result('"content":[{"type":"text","text":"secret"}],"structuredContent":{"tools":[1],"a":1,"a":2}')],
    ['an initialization', result('"protocolVersion":"2025-11-25","capabilities":{"tools":{}},"serverInfo":{"name":"secret"}')],
    ['a result in a result', result('"result":{"tools":[{"name":"secret"}]}')],
    ['an error', '{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":"secret"}}'],
    ['an error of no JSON-RPC', '{"error":"invalid_request"}'],
    ['a request of the server with tools', '{"id":1,"method":"sampling/createMessage","params":{"tools":[{"name":"secret"}]}}'],
    ['deep results', result(`"structuredContent":${'['.repeat(50_000)}${']'.repeat(50_000)}`)],
    [
      'lists in the items of a list, however deep',
      result(`"cacheScope":"private","tools":[{"name":"a","tools":[${'{"tools":['.repeat(20_000)}${']}'.repeat(20_000)}]}]`),
    ],
    ['an empty batch', '[]'],
    ['what says a thing twice, but lists nothing', '{"id":1,"id":2,"result":{"content":[],"content":[]}}'],
  ])('is not seen in %s', (_what, text) => {
    expect(filter(text, true)).toBe(text)
  })
})

describe('cacheScope', () => {
  it.each([
    ['"tools":[]', '"cacheScope":"private","tools":[]'],
    ['"tools":[],"cacheScope":"private"', '"tools":[],"cacheScope":"private"'],
    ['"cacheScope":"public","tools":[]', '"cacheScope":"private","tools":[]'],
    ['"cacheScope" : {"a":["public"]} ,"tools":[]', '"cacheScope" : "private" ,"tools":[]'],
    ['"tools":[{"name":"secret"}],"nextCursor":"x"', '"cacheScope":"private","tools":[],"nextCursor":"x"'],
  ])('is private on every page of a list: %s', (before, after) => {
    expect(filter(result(before), true)).toBe(result(after))
  })

  it('is private where a resource is read, since not everyone may read it', () => {
    expect(filter(result('"contents":[],"cacheScope":"public"'), true)).toBe(result('"contents":[],"cacheScope":"private"'))
    expect(filter(result('"contents":[]'), true)).toBe(result('"contents":[]'))
  })

  it('is not added where the revision has none, and no list is public there either', () => {
    expect(filter(result('"tools":[]'))).toBe(result('"tools":[]'))
    expect(filter(result('"tools":[],"cacheScope":"public"'))).toBe(result('"tools":[],"cacheScope":"private"'))
  })
})

describe('a notification', () => {
  const updated = (uri: string): string => `{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{${uri}}}`

  it('about a hidden resource is dropped, alone or in a batch', () => {
    expect(filter(updated('"uri":"file:///secret"'))).toBeUndefined()
    expect(filter(updated('"uri":"file:///\\u0073ecret"'))).toBeUndefined()
    expect(filter(updated('"title":"no uri"'))).toBeUndefined()
    expect(filter(`[${updated('"uri":"secret:1"')},${updated('"uri":"secret:2"')}]`)).toBeUndefined()
    expect(filter(`[${updated('"uri":"secret:1"')}, ${updated('"uri":"open:1"')}]`)).toBe(`[${updated('"uri":"open:1"')}]`)
  })

  it('about another one, or of something else, passes', () => {
    for (const text of [updated('"uri":"file:///open"'), '{"method":"notifications/tools/list_changed"}'])
      expect(filter(text)).toBe(text)
  })

  it('that acknowledges a subscription names no hidden resource', () => {
    const acknowledged = (uris: string): string =>
      `{"method":"notifications/subscriptions/acknowledged","params":{"notifications":{"toolsListChanged":true,"resourceSubscriptions":[${uris}]}}}`
    expect(filter(acknowledged('"open:1","secret:1"'))).toBe(acknowledged('"open:1"'))
    expect(codeOf(acknowledged('1'))).toBe('answer_unfilterable')
    expect(codeOf(acknowledged('').replace('resourceS', 'ResourceS'))).toBe('answer_unfilterable')
  })

  it.each([
    ['a URI twice', updated('"uri":"open:1","uri":"secret:1"')],
    ['a URI that looks like one', updated('"uri":"open:1","URI":"secret:1"')],
    ['a method twice', '{"method":"x","method":"notifications/resources/updated","params":{"uri":"secret:1"}}'],
    ['a method that looks like one', '{"Method":"notifications/resources/updated","params":{"uri":"secret:1"}}'],
  ])('is refused for %s', (_what, text) => {
    expect(codeOf(text)).toBe('answer_unfilterable')
  })
})

describe('items of a list', () => {
  const key = fc.constantFrom('title', 'nam', 'names', 'x', '\\"name', 'name ', 'uri', 'd\u0131', '\u0131tems')
  const value = fc.oneof(fc.json({ maxDepth: 2 }), fc.constantFrom('"secret"', '"a"', '{"name":"secret"}', '["name"]'))
  const others = fc.array(fc.tuple(key, value), { maxLength: 4 })
  const name = fc.constantFrom('"secret"', '"a"', '"\\u0073ecret"', '"\u00fcber"', '"secret \u4e2d"')
  const spelling = fc.constantFrom('"name"', '"na\\u006de"')
  const item = fc
    .tuple(others, spelling, name, others, fc.constantFrom('', ' ', '\n\t'))
    .map(([before, spelled, called, behind, space]) => {
      const quote = (members: [string, string][]) => members.map(([member, is]) => `"${member}"${space}:${is}`)
      return `{${[...quote(before), `${spelled}:${space}${called}`, ...quote(behind)].join(`${space},`)}}`
    })

  it('are found by the one name that they have, in whatever order and spelling their members come', () => {
    fc.assert(
      fc.property(fc.array(item, { maxLength: 6 }), (items) => {
        const kept = items.filter((text) => !String(JSON.parse(text).name).includes('secret'))
        const left = filter(result(`"tools":[${items.join()}]`))
        expect(left && JSON.parse(left)).toEqual(JSON.parse(result(`"tools":[${kept.join()}]`)))
      }),
      { numRuns: 200 },
    )
  })

  it.each([
    ['a second name', '{"name":"a"},{"name":"a","name":"secret"}'],
    ['a second name behind an escape', '{"name":"a"},{"name":"a","n\\u0061me":"secret"}'],
    ['a name in capitals where the item before has another member', '{"name":"a","x":1},{"name":"a","NAME":"secret"}'],
    ['no name, where the item before has one', '{"name":"a"},{"title":"a"}'],
    ['a name without a colon', '{"name":"a"},{"name""a"}'],
    ['an item that is a list', '{"name":"a"},[{"name":"a"}]'],
  ])('are refused for %s', (_what, items) => {
    expect(codeOf(result(`"tools":[${items}]`))).toBe('answer_unfilterable')
  })
})
