/**
 * The names that lenient servers may read a name as. PHP makes `_` of what a variable cannot have, and ends it at NUL, which others drop
 * (Java's `trim`); Rack before 3 drops brackets around it; both take what is before a bracket for the name of a list. ASP.NET folds letter
 * case, and Go's decoder of JSON takes `ſ` for `s`, too. Only letters and digits are left, so that no other of these habits has to be known.
 */
export function foldParameterName(name: string): readonly [whole: string, list: string, withoutNul: string] {
  if (/^[a-z0-9]*$/.test(name)) return [name, name, name]
  const [begun = ''] = name.replace(/^\0+/, '').split('\0', 1)
  const [list = ''] = begun.replace(/^[^\p{L}\p{N}]+/u, '').split(/[[\]]/, 1)
  return [foldLetters(begun), foldLetters(list), foldLetters(name)]
}

function foldLetters(text: string): string {
  return text
    .toUpperCase()
    .toLowerCase()
    .replace(/[^\p{L}\p{N}]/gu, '')
}
