// Enlarges pictures: a click or Enter opens, arrow keys turn pages, Escape closes.
const Gallery = (() => {
  let at = 0;
  const viewer = () => document.getElementById("viewer");
  const buttons = () => [...document.querySelectorAll("[data-zoom]")];

  function show(index) {
    const all = buttons();
    at = (index + all.length) % all.length;
    const small = all[at].querySelector("img"), large = viewer().querySelector("img");
    Object.assign(large, { src: small.src, alt: small.alt, className: small.className });
    viewer().querySelector("p").textContent = `${at + 1} of ${all.length}. ${small.alt}`;
    if (!viewer().open) viewer().showModal();
  }

  return {
    start() {
      document.addEventListener("click", (event) => {
        const button = event.target.closest("[data-zoom], [data-step], [data-close]");
        if (!button) { if (event.target === viewer()) viewer().close(); return; }
        if (button.matches("[data-zoom]")) show(buttons().indexOf(button));
        else if (button.matches("[data-step]")) show(at + +button.dataset.step);
        else viewer().close();
      });
      viewer().addEventListener("keydown", (event) => {
        if (event.key === "ArrowRight") show(at + 1);
        if (event.key === "ArrowLeft") show(at - 1);
      });
      viewer().addEventListener("close", () => { const button = buttons()[at]; if (button) button.focus(); });
    },
  };
})();
