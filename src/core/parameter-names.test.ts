import { describe, expect, it } from 'vitest'
import { foldParameterName } from './parameter-names.ts'

describe('the name of a parameter, as the most lenient server may read it', () => {
  it.each([
    ['client_id', 'clientid', 'clientid'],
    ['Client.ID', 'clientid', 'clientid'],
    [' client id ', 'clientid', 'clientid'],
    ['client_id\0x', 'clientid', 'clientid'],
    ['[client_id]', 'clientid', 'clientid'],
    ['client_id[]', 'clientid', 'clientid'],
    ['client_id[x]', 'clientidx', 'clientid'],
    ['client_id]x', 'clientidx', 'clientid'],
    ['\u212aey\u017f', 'keys', 'keys'],
    ['\u00c9t\u00e9', '\u00e9t\u00e9', '\u00e9t\u00e9'],
    ['\ufffd', '', ''],
  ])('%j is %s, or one of the list %s', (name, whole, list) => {
    expect(foldParameterName(name).slice(0, 2)).toEqual([whole, list])
  })

  it.each(['\0client_id', '\0\0client_id', 'cli\0ent_id', 'client_id\0'])('%j is the same without NUL', (name) => {
    expect(foldParameterName(name)).toContain('clientid')
  })

  it('of letters and digits alone is itself', () => {
    expect(foldParameterName('state1')).toEqual(['state1', 'state1', 'state1'])
  })
})
