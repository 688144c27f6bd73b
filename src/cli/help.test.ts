import { describe, expect, it } from 'vitest'
import { formatCommandHelp } from './help.ts'

const COMMANDS = ['check', 'explain', 'doctor', 'init', 'keys', 'users', 'clients', 'sessions', 'rules', 'audit', 'reload']

describe('the help of one command', () => {
  it.each(COMMANDS)('%s names no other command before what a flag does', (command) => {
    const [, flags = ''] = (formatCommandHelp(command) ?? '').split('Flags:')
    const names = [...flags.matchAll(/^ {2}--\S+(?: [A-Z]\S*)? +([a-z]+(?:,? [a-z]+)*): /gm)].map((match) => match[1] ?? '')
    const others = COMMANDS.filter((other) => other !== command)
    expect(names.filter((name) => name.split(/,? /).some((word) => others.includes(word)))).toEqual([])
    expect(names).not.toContain(command)
    expect(flags).toContain('--')
  })

  it('says of a flag that two words of a command know what it does for each', () => {
    expect(formatCommandHelp('sessions')).toMatch(/--sid ID +sessions end: /)
    expect(formatCommandHelp('users')).toMatch(/--block +users revoke: /)
  })

  it('says for itself what each of its words does', () => {
    for (const command of ['users', 'clients', 'sessions']) expect(formatCommandHelp(command)).not.toMatch(/the same for/)
    expect(formatCommandHelp('users')).toMatch(/^ {2}users show SUBJECT /m)
    expect(formatCommandHelp('sessions')).toMatch(/^ {2}sessions end ID /m)
  })

  it.each(['migrate', 'schema', 'errors'])('is there for %s, which has no flags', (command) => {
    const help = formatCommandHelp(command)
    expect(help).toMatch(new RegExp(`^Usage:\\n {2}${command}`))
    expect(help).not.toMatch(/Flags:|--config/)
  })

  it('is that of all commands for the default one, and for what is no command', () => {
    expect([formatCommandHelp('serve'), formatCommandHelp('nonsense'), formatCommandHelp(undefined)]).toEqual([
      undefined,
      undefined,
      undefined,
    ])
  })
})
