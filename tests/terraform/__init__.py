"""Tools that check generated Terraform: against provider schemas, and with Terraform itself."""
