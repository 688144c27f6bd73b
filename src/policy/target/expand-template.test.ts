import { expect, it } from 'vitest'
import { expandTemplate, listVariables } from './uri-template.ts'

const typed = (name: string, value: string, others: Record<string, string> = {}) => ({
  name,
  value,
  others: new Map(Object.entries(others)),
})

it.each<[string, ReturnType<typeof typed> | undefined, string, string | undefined]>([
  // What may come begins with all that is known before the first value that is open, or is being typed.
  ['F/{a}/x', undefined, 'F/{a}/x', 'F/'],
  ['F/{a}/{b}', typed('a', 'q'), 'F/q/{b}', 'F/q'],
  ['F/{a}/{b}', typed('b', 'x', { a: '..' }), 'F/../x', 'F/../x'],
  ['F/{a}/{b}/c', typed('b', 'x', { a: 'p' }), 'F/p/x/c', 'F/p/x'],
  ['F/{a}/{b}', typed('b', 'x'), 'F/{a}/x', 'F/'],
  ['F/{a}', typed('z', 'x'), 'F/{a}', 'F/'],
  ['F/public/{+path}', typed('path', '../secret/'), 'F/public/../secret/', 'F/public/../secret/'],
  ['F/{a}', typed('a', ''), 'F/', 'F/'],
  // Nothing is open.
  ['F/plain', undefined, 'F/plain', undefined],
  ['F/{a}/plain', typed('z', 'x', { a: 'p' }), 'F/p/plain', undefined],
  // A brace without its partner may be an expression to another reader.
  ['F/a{b', undefined, 'F/a{b', 'F/a'],
  ['F/{a}', typed('z', 'x', { a: 'p{q' }), 'F/p{q', 'F/p'],
  // RFC 6570 §3.2: what the operators put before and between values.
  ['F{/a,b}', typed('b', 'y', { a: 'x' }), 'F/x/y', 'F/x/y'],
  ['F{.a,b}', typed('b', 'y', { a: 'x' }), 'F.x.y', 'F.x.y'],
  ['F{?a,b}', typed('b', 'y', { a: 'x' }), 'F?a=x&b=y', 'F?a=x&b=y'],
  ['F?c=1{&a,b}', typed('b', 'y', { a: 'x' }), 'F?c=1&a=x&b=y', 'F?c=1&a=x&b=y'],
  ['F{;a,b}', typed('b', 'y', { a: 'x' }), 'F;a=x;b=y', 'F;a=x;b=y'],
  ['F{#a,b}', typed('b', 'y', { a: 'x' }), 'F#x,y', 'F#x,y'],
  ['F/{a,b}', typed('b', 'y', { a: 'x' }), 'F/x,y', 'F/x,y'],
  ['F/{+a,b}', typed('b', 'y', { a: 'x' }), 'F/x,y', 'F/x,y'],
  // A modifier is no part of the name; a server may cut the value or not.
  ['F/{a:3}/{b*}', typed('b', 'y', { a: 'abcdef' }), 'F/abcdef/y', 'F/abcdef/y'],
  ['F/{a:12}/{ b }', typed('b', 'y', { a: 'x' }), 'F/x/y', 'F/x/y'],
  ['F/{a*b}', typed('a*b', 'x'), 'F/x', 'F/x'],
])('%s with %j becomes %s, and all of it begins with %s', (template, completing, uri, beginning) => {
  expect(expandTemplate(template, completing)).toEqual({ uri, beginning })
})

it('the variables of a template are those of all its expressions, without operators and modifiers', () => {
  expect(listVariables('F/{a,b:3}{?c*}/{+d}')).toEqual(['a', 'b', 'c', 'd'])
  expect(listVariables('F/plain')).toEqual([])
})
