export const passages = [
  "Our office is closed on public holidays.",
  "Passwords must have at least twelve characters.",
  "Open Settings, choose Account, then select Forgot password.",
  "Invoices are sent on the first working day of each month.",
];
