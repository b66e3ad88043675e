import { StrictMode } from "react";
import { createRoot } from "react-dom/client";

import { Search } from "./Search.jsx";

createRoot(document.querySelector("#app")).render(
  <StrictMode>
    <Search />
  </StrictMode>,
);
