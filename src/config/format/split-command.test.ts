import { execFileSync } from 'node:child_process'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { splitCommand } from './split-command.ts'

describe('splitting a command', () => {
  it.each([
    ['npx -y server --flag', ['npx', '-y', 'server', '--flag']],
    ['  a\t b ', ['a', 'b']],
    [`a 'b c' "d e" f\\ g`, ['a', 'b c', 'd e', 'f g']],
    [`a '' ""`, ['a', '', '']],
    [`a b'c'"d"e`, ['a', 'bcde']],
    [`a '$x|y' "\\$x \\"q\\" \\n"`, ['a', '$x|y', '$x "q" \\n']],
    ['node C=1 --x=~/y a#b', ['node', 'C=1', '--x=~/y', 'a#b']],
  ])('makes words of %j', (text, words) => {
    expect(splitCommand(text)).toEqual(words)
  })

  it.each([
    ['a | b', /pipe/],
    ['a && b', /`&`/],
    ['a; rm b', /several commands/],
    ['a > b', /redirection/],
    ['a $HOME', /variable/],
    ['a "$(b)"', /variable or a command/],
    ['a `b`', /command in a command/],
    ['a *.txt', /pattern/],
    ['a ~/b', /home directory/],
    ['a # b', /comment/],
    ['a {b,c}', /expansion/],
    ['a\nb', /several lines/],
    ['X=1 a', /assignment/],
    [`a 'b`, /not closed/],
    ['a "b', /not closed/],
    ['a \\', /backslash/],
    ['', /no program/],
    ['   ', /no program/],
    ['""', /no program/],
  ])('refuses %j, and says why', (text, reason) => {
    expect(splitCommand(text)).toMatchObject({ reason: expect.stringMatching(reason), fix: expect.any(String) })
  })

  it('agrees with a shell wherever it does not refuse', () => {
    const piece = fc.constantFrom('a', 'b1', ' ', '"', "'", '\\', 'x y', '--f=', '%', '!', '.', 'é', '\t')
    const print = 'for word; do printf "%s\\0" "$word"; done'
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
        const words = splitCommand(`p ${pieces.join('')}`)
        if ('reason' in words) return
        const shell = execFileSync('/bin/sh', ['-c', `set -- p ${pieces.join('')}\n${print}`]).toString()
        expect(shell.split('\0').slice(0, -1)).toEqual(words)
      }),
      { numRuns: 150 },
    )
  })
})
