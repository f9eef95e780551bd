-- Whether requests through proxies are refused once the budget is spent.
ALTER TABLE budgets ADD COLUMN hard INTEGER NOT NULL DEFAULT 0 CHECK (hard IN (0, 1));
