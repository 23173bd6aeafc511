'use strict';
// Without this script the page shows everything. With it, everything can be
// filtered: rows that do not match are hidden, and groups without rows too.
(() => {
	const form = document.querySelector('form');
	const told = document.getElementById('told');
	const groups = [...document.querySelectorAll('details[data-tenant]')];
	const matrix = [...document.querySelectorAll('.matrix tbody tr')];
	const sections = [...document.querySelectorAll('section')];
	const open = new Map(groups.map(g => [g, g.open]));
	// The headings of what is filtered, as they are with all of it.
	const headings = sections.filter(s => s.querySelector('details[data-tenant]')).map(s => s.firstElementChild).map(h => [h, h.textContent]);
	let rows = null;

	// What a row is filtered by stands in its cells; they are read when somebody
	// filters for the first time.
	const read = () => groups.flatMap(group => [...group.querySelectorAll('tbody tr')].map(row => ({
		row, group, tenant: group.dataset.tenant.toLowerCase(),
		symbol: row.cells[0].textContent, kind: row.cells[1].textContent,
		facility: row.cells[2].textContent.toLowerCase(), module: row.dataset.module || '',
	})));

	const filter = () => {
		rows = rows || read();
		const want = Object.fromEntries(new FormData(form));
		const tenant = want.tenant.trim().toLowerCase(), facility = want.facility.trim().toLowerCase();
		const any = tenant || facility || want.module || want.kind || want.action;
		const shown = new Map(groups.map(g => [g, 0]));
		let count = 0;
		for (const r of rows) {
			const match = r.tenant.includes(tenant) && r.facility.includes(facility) &&
				(!want.module || r.module === want.module) && (!want.kind || r.kind === want.kind) &&
				(!want.action || r.symbol === want.action);
			if (r.row.hidden === match) r.row.hidden = !match;
			if (match) { count++; shown.set(r.group, shown.get(r.group) + 1); }
		}
		let opened = 0;
		for (const [group, n] of shown) {
			group.hidden = n === 0;
			group.open = any ? n > 0 && opened++ < 50 : open.get(group);
		}
		for (const [heading, whole] of headings) {
			const n = groups.reduce((sum, g) => sum + (heading.parentElement.contains(g) ? shown.get(g) : 0), 0);
			heading.textContent = any ? whole.replace('(', `(${n} of `) : whole;
		}
		for (const section of sections) section.hidden = section.querySelector('details[data-tenant]') && !section.querySelector('details[data-tenant]:not([hidden])');
		for (const row of matrix) row.hidden = !row.dataset.tenant.toLowerCase().includes(tenant);
		told.textContent = `${count} of ${rows.length} shown`;
	};

	let waiting = 0;
	form.addEventListener('input', () => { clearTimeout(waiting); waiting = setTimeout(filter, 120); });
	form.addEventListener('submit', event => { event.preventDefault(); filter(); });
	form.addEventListener('reset', () => setTimeout(filter));
	addEventListener('beforeprint', () => groups.forEach(g => { g.open = true; }));
	form.hidden = false;
})();
