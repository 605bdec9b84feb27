// Sites by intensities: a real table, so that it can be read aloud; shape and number, not colour alone.
export function fillMap(table, { columns, rows }, siteWord) {
  const make = (tag, text, data = {}) => {
    const cell = document.createElement(tag);
    cell.textContent = text;
    Object.assign(cell.dataset, data);
    return cell;
  };
  const head = document.createElement("tr");
  head.append(make("th", siteWord), ...columns.map((text) => make("th", text)));
  for (const cell of head.children) cell.scope = "col";
  const body = rows.map(({ site, note, now, cells }) => {
    const row = document.createElement("tr");
    if (now) row.dataset.now = "yes";
    const name = make("th", note ? `${site} (${note})` : site);
    name.scope = "row";
    row.append(name);
    for (const { mark, text, title, level } of cells) {
      const cell = make("td", "", { level });
      cell.title = title;
      const [shape, value] = [make("span", mark), make("span", text)];
      shape.className = "shape";
      value.className = "value";
      cell.append(shape, value);
      row.append(cell);
    }
    return row;
  });
  table.replaceChildren(head, ...body);
}
