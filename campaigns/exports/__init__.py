"""What leaves a campaign: run sheets, the record, and figures for documents."""
