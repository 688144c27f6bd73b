/**
 * The names that lenient servers may read a name as. PHP makes `_` of what a variable cannot have, and ends it at NUL; Rack before 3 drops
 * brackets around it; both take what is before a bracket for the name of a list. ASP.NET folds letter case, and Go's decoder of JSON takes
 * `ſ` for `s`, too. Only letters and digits are left, so that no other of these habits has to be known.
 */
export function foldParameterName(name: string): readonly [whole: string, list: string] {
  const [begun = ''] = name.split('\0', 1)
  const [list = ''] = begun.replace(/^[^\p{L}\p{N}]+/u, '').split(/[[\]]/, 1)
  return [foldLetters(begun), foldLetters(list)]
}

function foldLetters(text: string): string {
  return text
    .toUpperCase()
    .toLowerCase()
    .replace(/[^\p{L}\p{N}]/gu, '')
}
