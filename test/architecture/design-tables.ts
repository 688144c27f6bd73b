/** What DESIGN.md says of a folder, each sorted. */
export interface DesignRow {
  readonly mayImport: readonly string[]
  readonly homeOf: readonly string[]
}

/** The table "Folders": folder or file → its row. */
export function readFolderTable(page: string): Map<string, DesignRow> {
  const rows = readTable(page, '| folder |').map(([name = '', , mayImport = '', homeOf = '']) => {
    return [readNames(name)[0] ?? '', { mayImport: readNames(mayImport), homeOf: readNames(homeOf) }] as const
  })
  return new Map(rows)
}

/** The table of rooms, with three folders beside each other: `folder/room` → the rooms beside it that it may import. */
export function readRoomTable(page: string): Map<string, readonly string[]> {
  const [head = [], ...rows] = readTable(page, '| `config/` | may import |', true)
  const folders = head.map((cell) => readNames(cell)[0] ?? '')
  const found = [0, 3, 6].flatMap((column) =>
    rows.flatMap((cells) =>
      readNames(cells[column] ?? '').map((room) => [folders[column] ?? '', room, cells[column + 1] ?? ''] as const),
    ),
  )
  const listRooms = (folder: string) => found.filter(([other]) => other === folder).map(([, room]) => room)
  return new Map(found.map(([folder, room, cell]) => [`${folder}/${room}`, readRooms(cell, room, listRooms(folder))]))
}

/** `all but a, b` names the others. */
function readRooms(cell: string, own: string, all: readonly string[]): string[] {
  if (!cell.startsWith('all but ')) return readNames(cell)
  const excluded = [own, ...readNames(cell.slice('all but '.length))]
  return all.filter((room) => !excluded.includes(room)).sort()
}

/** The cells of the table that begins so, without its head unless wanted. */
function readTable(page: string, begin: string, withHead = false): string[][] {
  const lines = page.slice(page.indexOf(`\n${begin}`) + 1).split('\n')
  const table = lines.slice(
    0,
    lines.findIndex((line) => !line.startsWith('|')),
  )
  const rows = table.map((line) =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  )
  return [...(withHead ? rows.slice(0, 1) : []), ...rows.slice(2)]
}

/** The names of a cell without what explains them: `pino (a type)` is pino. */
function readNames(cell: string): string[] {
  const names = cell.replaceAll(/\([^)]*\)|`/g, '').split(',')
  return names
    .map((name) => name.trim().replace(/\/$/, ''))
    .filter((name) => !['', '–', 'nothing'].includes(name))
    .sort()
}
