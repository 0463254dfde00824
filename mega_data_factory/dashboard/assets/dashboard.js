// What only the browser knows or can do: its look, the title of the page, the address of a filtered table.
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
    title(title) {
        document.title = title ? `${title} · Mega Data Factory` : "Mega Data Factory";
        return window.dash_clientside.no_update;
    },
    address(query) {
        if (window.location.pathname === "/" && window.location.search !== query) {
            window.history.replaceState(window.history.state, "", `/${query}`);
        }
        return window.dash_clientside.no_update;
    },
};
