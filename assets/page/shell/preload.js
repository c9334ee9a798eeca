// Once something is painted, the modules that the first tab needs are fetched; earlier they would only hold that up.
new PerformanceObserver((paints, observer) => {
  if (!paints.getEntriesByName("first-contentful-paint").length) return;
  observer.disconnect();
  document.head.append(/** @type {HTMLTemplateElement} */ (document.getElementById("first-modules")).content);
}).observe({ type: "paint", buffered: true });
