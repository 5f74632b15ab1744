// <button data-print> prints the page (receipt, slip).

export function printButton(): void {
  document.addEventListener("click", (event) => {
    if ((event.target as Element).closest("[data-print]")) window.print();
  });
}
