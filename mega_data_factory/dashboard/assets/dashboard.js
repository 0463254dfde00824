// Callbacks that run in the browser: its look, the title of the page, the address of a filtered table, the time.
const PAUSE = 200; // milliseconds after the last key until a search starts
let typed = 0;

window.dash_clientside = window.dash_clientside || {};
window.dash_clientside.mdf = {
    look(clicks) {
        const root = document.documentElement;
        const dark = window.matchMedia("(prefers-color-scheme: dark)").matches;
        let look = localStorage.getItem("mdf-look") || (dark ? "dark" : "light");
        if (clicks) {
            look = root.dataset.theme === "dark" ? "light" : "dark";
            localStorage.setItem("mdf-look", look);
        }
        root.dataset.theme = look;
        return look;
    },
    // A new request for an output takes the place of one under way: checks for changes wait until a slow server has answered.
    tick(count) {
        return document.querySelector("[data-dash-is-loading]") ? window.dash_clientside.no_update : count;
    },
    // `dcc.Input` has a debounce of its own, which puts the cursor back where it was and so mixes up fast typing.
    typed(text) {
        const number = (typed += 1);
        return new Promise((resolve) => {
            setTimeout(() => resolve(number === typed ? text : window.dash_clientside.no_update), PAUSE);
        });
    },
    title(title) {
        document.title = title ? `${title} · Mega Data Factory` : "Mega Data Factory";
        for (const link of document.querySelectorAll("header nav a")) {
            const here = new URL(link.href).pathname === window.location.pathname;
            here ? link.setAttribute("aria-current", "page") : link.removeAttribute("aria-current");
        }
        return window.dash_clientside.no_update;
    },
    pick(values, ids, before) {
        const on = values.flat();
        const here = new Set(ids.map((id) => id.run));
        const kept = before.filter((run) => on.includes(run) || !here.has(run)); // also those on other pages of the table
        const picked = [...kept, ...on.filter((run) => !kept.includes(run))];
        const enough = picked.length > 1;
        return [picked, enough ? `Compare ${picked.length} runs` : "Choose two runs to compare", !enough];
    },
    threshold(place, numbers, figure) {
        const { no_update } = window.dash_clientside;
        if (!(place in numbers.values)) return [no_update, no_update];
        const [line, ...others] = figure.layout.shapes || [];
        if (!line) return [no_update, numbers.sentences[place]];
        const moved = { ...line, x0: numbers.values[place], x1: numbers.values[place] };
        return [{ ...figure, layout: { ...figure.layout, shapes: [moved, ...others] } }, numbers.sentences[place]];
    },
    address(query) {
        if (window.location.pathname === "/" && window.location.search !== query) {
            window.history.replaceState(window.history.state, "", `/${query}`);
        }
        return window.dash_clientside.no_update;
    },
};

// Dash gives its controls roles that screen readers cannot follow: boxes to tick inside of options of a list, and a
// field that takes the focus though it is hidden from them. Here they become groups of boxes, and buttons that are named
// by what they say and described by their label.
const OPTIONS = ".dash-options-list, .dash-options-list-option";

function repaired() {
    for (const part of document.querySelectorAll(`:is(${OPTIONS})[role]`)) {
        part.removeAttribute("role");
        part.removeAttribute("aria-selected");
    }
    for (const button of document.querySelectorAll("button.dash-dropdown")) {
        const label = document.querySelector(`label[for="${CSS.escape(button.id)}"]`);
        button.previousElementSibling.disabled = true;
        button.tabIndex = 0;
        button.removeAttribute("aria-labelledby");
        if (label) {
            label.id = `${button.id}-label`;
            label.removeAttribute("for");
            label.addEventListener("click", () => button.focus());
            button.setAttribute("aria-describedby", label.id);
        }
    }
    for (const content of document.querySelectorAll(".dash-dropdown-content:not([aria-label])")) {
        content.setAttribute("aria-label", "Options");
        content.querySelector("input[type=search]")?.setAttribute("aria-label", "Search the options");
    }
}

function counted() {
    for (const time of document.querySelectorAll("time.ago")) {
        const seconds = Math.max(0, Math.round((Date.now() - Date.parse(time.dateTime)) / 1000));
        const text = seconds < 90 ? `updated ${seconds} s ago` : `updated ${Math.round(seconds / 60)} min ago`;
        if (time.textContent !== text) {
            time.textContent = text;
        }
    }
}

// Charts are as wide as the screen; on paper they get the width of A4 between its margins.
const PAPER = 680;

function fitted(width) {
    for (const plot of document.querySelectorAll(".js-plotly-plot")) {
        const size = width ? { width, height: plot.clientHeight, autosize: false } : { width: null, height: null, autosize: true };
        if (plot.data[0]?.type === "sankey") {
            sankeyFitted(plot, size, Boolean(width));
        } else {
            window.Plotly.relayout(plot, size);
        }
    }
}

// Sankey diagrams move into place, and paper would show their first moment: one that cannot be touched is drawn at once.
function sankeyFitted(plot, size, paper) {
    const [trace] = plot.data;
    const font = { ...trace.textfont, size: paper ? 9 : 12 };
    const config = { displaylogo: false, responsive: !paper, staticPlot: paper };
    window.Plotly.newPlot(plot, [{ ...trace, textfont: font }], { ...plot.layout, ...size }, config);
}

window.addEventListener("beforeprint", () => fitted(PAPER));
window.addEventListener("afterprint", () => fitted(null));

document.addEventListener("DOMContentLoaded", () => {
    new MutationObserver(() => { repaired(); counted(); }).observe(document.body, { childList: true, subtree: true });
    setInterval(counted, 1000);
});
